/** Waits of the whole host in one window of the recorder, in the order in which they began. */
export interface LockWindow {
  readonly spanNs: number;
  /** Ns after the window began. */
  readonly t: Float64Array;
  readonly waitNs: Float64Array;
  readonly tid: Int32Array;
}

/**
 * Share of the time of the boots in service in which some thread of theirs waited for a kernel lock,
 * 0..1: of each boot the time that at least one of its threads waited, so that a VM with many CPUs
 * counts no more than one with few. A wait that began before the window or ended after it is not in
 * it: long ones are underestimated.
 * @param boots  all that were in service throughout the window
 * @returns undefined where there were none
 */
export function lockWaitShare(
  { spanNs, t, waitNs, tid }: LockWindow,
  boots: ReadonlySet<number>,
  bootOf: ReadonlyMap<number, number>,
): number | undefined {
  if (boots.size === 0 || spanNs <= 0) return undefined;
  const waitedUntilNs = new Map<number, number>();
  let waitedNs = 0;
  for (let i = 0; i < t.length; i += 1) {
    const boot = bootOf.get(tid[i]!);
    if (boot === undefined || !boots.has(boot)) continue;
    const fromNs = Math.max(t[i]!, waitedUntilNs.get(boot) ?? 0);
    const untilNs = Math.min(t[i]! + waitNs[i]!, spanNs);
    if (untilNs <= fromNs) continue;
    waitedNs += untilNs - fromNs;
    waitedUntilNs.set(boot, untilNs);
  }
  return Math.min(1, waitedNs / (spanNs * boots.size));
}

/** What one pair of events costs the thread that waits. Source: docs/benchmarks.md, no call stacks. */
const PAIR_NS = 500;
/** Of all CPU time of the host. */
const COST_SHARE_MAX = 0.01;
/** What one thread of ours decodes in some 40 ms. */
const PAIRS_MAX = 50_000;

export const WINDOW_EVERY_MS = 1000;
/** Between windows there is time to decode, and for the daemon. */
const WINDOW_MS_MAX = 800;
const WINDOW_MS_MIN = 2;
export const FIRST_WINDOW_MS = 100;

/**
 * How long the next window may last so that watching costs at most 1 % of the host's CPU time, at
 * the rate of waits last seen.
 * @param lost  events did not fit: the rate was higher than what was seen
 */
export function nextWindowMs(
  lastMs: number,
  { pairs, lost, cpus }: { readonly pairs: number; readonly lost: boolean; readonly cpus: number },
): number {
  const pairsPerMs = pairs / lastMs;
  const costMax = (COST_SHARE_MAX * cpus * WINDOW_EVERY_MS * 1e6) / PAIR_NS;
  const fitsMs = Math.min(costMax, PAIRS_MAX) / Math.max(pairsPerMs, 1e-9);
  // The rate may rise from one second to the next: it may double before it is seen.
  const ms = Math.min(fitsMs / 2, lost ? lastMs / 4 : 4 * lastMs);
  return Math.round(Math.min(Math.max(ms, WINDOW_MS_MIN), WINDOW_MS_MAX));
}
