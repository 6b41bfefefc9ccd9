import { readText } from "./file.ts";

/** What all CPUs have done since boot, in clock ticks of 10 ms. */
export interface CpuTimes {
  readonly cpus: number;
  readonly totalTicks: number;
  /** Nothing to run, waiting for a disk included: a task that comes could run at once. */
  readonly idleTicks: number;
}

/**
 * /proc/stat (man 5 proc): user, nice, system, idle, iowait, irq, softirq, steal, guest, guest_nice.
 *
 *     cpu  393812 1404 103262 4124561 12020 0 7373 51203 0 0
 *     cpu0 196842 702 51631 2062280 6010 0 3686 25601 0 0
 *
 * Steal is time in which a hypervisor ran somebody else: nobody here could have used it, so it is not
 * idle. Guests are part of user and nice already.
 */
export function readCpuTimes(root: string): CpuTimes {
  const text = readText(root, "/proc/stat");
  const [, all] = /^cpu +(.*)$/m.exec(text) ?? [];
  if (all === undefined) throw new Error("/proc/stat has no line for all CPUs");
  const ticks = all.split(" ").map(Number);
  const [user, nice, system, idle, iowait, irq, softirq, steal = 0] = ticks as [
    ...[number, number, number, number, number, number, number],
    number?,
  ];
  return {
    cpus: text.match(/^cpu\d+ /gm)?.length ?? 1,
    totalTicks: user + nice + system + idle + iowait + irq + softirq + steal,
    idleTicks: idle + iowait,
  };
}
