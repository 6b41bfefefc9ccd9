import { readText } from "./file.ts";

/** Of USER_HZ, which is 100 for programs on every Linux we know. Source: man 5 proc, sysconf(3). */
const NS_PER_TICK = 1e7;

/** What all CPUs together have done since boot, to 10 ms each. */
export interface CpuTimes {
  readonly cpus: number;
  readonly busyNs: number;
  /** Nothing to run, waiting for a disk included: a task that comes could run at once. */
  readonly idleNs: number;
  /** A hypervisor ran somebody else: nobody here could have used it. */
  readonly stolenNs: number;
}

/** How CPUs were used for a while; shares of all their time, 0..1. */
export interface CpuShares {
  readonly idleShare: number;
  /** Used by those whose CPU time was given. */
  readonly usedShare: number;
}

/**
 * /proc/stat (man 5 proc): user, nice, system, idle, iowait, irq, softirq, steal, guest, guest_nice.
 *
 *     cpu  393812 1404 103262 4124561 12020 0 7373 51203 0 0
 *     cpu0 196842 702 51631 2062280 6010 0 3686 25601 0 0
 *
 * Guests are part of user and nice already.
 */
export function readCpuTimes(root: string): CpuTimes {
  const text = readText(root, "/proc/stat");
  const [, all] = /^cpu +(.*)$/m.exec(text) ?? [];
  if (all === undefined) throw new Error("/proc/stat has no line for all CPUs");
  const ticks = all.split(" ").map(Number);
  const sum = (...columns: number[]) =>
    columns.reduce((ns, column) => ns + (ticks[column] ?? 0), 0) * NS_PER_TICK;
  return {
    cpus: text.match(/^cpu\d+ /gm)?.length ?? 1,
    busyNs: sum(0, 1, 2, 5, 6),
    idleNs: sum(3, 4),
    stolenNs: sum(7),
  };
}

/** Before anything was measured. */
export const SINCE_BOOT: Omit<CpuTimes, "cpus"> = { busyNs: 0, idleNs: 0, stolenNs: 0 };

/**
 * @param usedNs  CPU time of some, in that time
 * @returns undefined when no tick has passed
 */
export function cpuShares(
  before: Omit<CpuTimes, "cpus">,
  now: CpuTimes,
  usedNs: number,
): CpuShares | undefined {
  const idleNs = now.idleNs - before.idleNs;
  const allNs = now.busyNs - before.busyNs + idleNs + now.stolenNs - before.stolenNs;
  if (allNs <= 0) return undefined;
  // Ticks of different counters may be some ns apart: a share stays one.
  const shareOf = (ns: number) => Math.min(Math.max(ns / allNs, 0), 1);
  return { idleShare: shareOf(idleNs), usedShare: shareOf(usedNs) };
}
