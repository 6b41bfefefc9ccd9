/**
 * The rate of this host's TSC in kHz, for guests that are emulated: they see the host's TSC, and on
 * a busy host they often measure its rate wrong and then count time in ticks of 10 ms
 * (`tsc_early_khz` in Documentation/admin-guide/kernel-parameters.txt).
 * @param cpuinfo  the text of /proc/cpuinfo
 * @returns undefined where its "cpu MHz" is the CPU's momentary speed instead: where the CPU counts
 * its cycles (aperfmperf). Source: arch_freq_get_on_cpu(), arch/x86/kernel/cpu/aperfmperf.c
 */
export function tscKhz(cpuinfo: string): number | undefined {
  const mhz = /^cpu MHz\s*: *(\d+\.\d+)$/m.exec(cpuinfo)?.[1];
  const flags = /^flags\s*: *(.*)$/m.exec(cpuinfo)?.[1]?.split(" ") ?? [];
  if (mhz === undefined || !flags.includes("constant_tsc")) return undefined;
  return flags.includes("aperfmperf") ? undefined : Math.round(Number(mhz) * 1000);
}
