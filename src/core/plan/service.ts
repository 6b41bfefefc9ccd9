import { quantileSorted } from "../stats/distribution.ts";
import type { BootRun } from "./boot-run.ts";

/**
 * VMs of a storm that has so many in service until its end: whole turns, for boots that take turns end
 * in a pattern of that length.
 */
export function vmsInService(boots: number): number {
  return boots * Math.max(5, 2 + Math.ceil(16 / boots));
}

/**
 * Boots that end a second while so many are in service. Counted from the end of the first so many
 * boots, when those that began together no longer do, to the last end that another boot follows.
 * @param startsNs  requests, by VM
 * @param boots  in service all that time; at most a third of the VMs
 */
export function servedPerSecond(
  { bootsNs }: BootRun,
  startsNs: readonly number[],
  boots: number,
): number {
  const ready = Float64Array.from(bootsNs, (ns, vm) => startsNs[vm]! + ns).sort();
  const first = boots - 1;
  const last = ready.length - boots - 1;
  return (1e9 * (last - first)) / (ready[last]! - ready[first]!);
}

/** Of a boot from request to ready, those of the beginning left out: a host that is idle at first. */
export function p99Ns(runs: readonly BootRun[]): number {
  const boots = runs.flatMap(({ bootsNs }) =>
    Array.from(bootsNs).slice(Math.floor(bootsNs.length * WARM_UP)),
  );
  return quantileSorted(Float64Array.from(boots).sort(), 0.99);
}

const WARM_UP = 0.2;

/**
 * The same boots as if all had been asked for when the first was, and had waited to be asked for.
 * @param startsNs  requests, by VM
 */
export function sinceFirstNs({ bootsNs }: BootRun, startsNs: readonly number[]): number[] {
  return Array.from(bootsNs, (ns, vm) => startsNs[vm]! + ns);
}
