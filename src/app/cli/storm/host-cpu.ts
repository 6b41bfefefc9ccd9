import type { Sample } from "../../../core/policy/policy.ts";
import { cpuShares, readCpuTimes, SINCE_BOOT } from "../../../host/probe/cpu-times.ts";

/** Shorter, and the ticks of 10 ms that the kernel counts in would be too coarse. */
const EVERY_MS = 250;

/** How a round uses the host's CPUs, now and now again. */
export interface HostCpuWatch {
  /** @param cpuNs  CPU time of the boot until now; undefined when it cannot be read any more */
  begin(vm: number, cpuNs: () => number | undefined): void;
  /** @param cpuNs  CPU time of the whole boot, where it is known */
  end(vm: number, cpuNs: number | undefined): void;
  stop(): void;
}

interface Boot {
  readonly cpuNs: () => number | undefined;
  toldNs: number;
}

/** Tells of the host's CPUs at regular times, until it is stopped. It keeps no process alive. */
export function startHostCpu(
  observe: (sample: Extract<Sample, { kind: "host-cpu" }>) => void,
): HostCpuWatch {
  const boots = new Map<number, Boot>();
  /** Of boots that have ended since the last sample. */
  let endedNs = 0;
  let before = readCpuTimes("/");
  // Before the first boot a policy knows how many CPUs there are; how they are used, since they run.
  const sinceBoot = cpuShares(SINCE_BOOT, before, 0);
  observe({ kind: "host-cpu", cpus: before.cpus, idleShare: sinceBoot?.idleShare ?? 0 });
  const timer = setInterval(look, EVERY_MS).unref();

  function look(): void {
    const now = readCpuTimes("/");
    let usedNs = endedNs;
    endedNs = 0;
    for (const boot of boots.values()) usedNs += take(boot, boot.cpuNs());
    const shares = cpuShares(before, now, usedNs);
    if (shares === undefined) return;
    before = now;
    const { idleShare, usedShare: bootShare } = shares;
    observe({ kind: "host-cpu", cpus: now.cpus, idleShare, bootShare });
  }

  return {
    begin: (vm, cpuNs) => void boots.set(vm, { cpuNs, toldNs: 0 }),
    end(vm, cpuNs) {
      const boot = boots.get(vm);
      if (boot !== undefined) endedNs += take(boot, cpuNs);
      boots.delete(vm);
    },
    stop: () => clearInterval(timer),
  };
}

/** What a boot has used since the last time. */
function take(boot: Boot, cpuNs: number | undefined): number {
  if (cpuNs === undefined) return 0;
  const usedNs = Math.max(0, cpuNs - boot.toldNs);
  boot.toldNs = cpuNs;
  return usedNs;
}
