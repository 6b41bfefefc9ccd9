// What `calibrate` answers: the sweep as measured, the model fitted to it, and what else was seen.
import type { DirectMapCounters } from "../facts/direct-map-counters.ts";
import type { SpinlockVisibility } from "../facts/spinlock-visibility.ts";
import { type Ratio, ratioOfMedians } from "../stats/bootstrap.ts";
import {
  type AlonePages,
  type FreedPoint,
  freedPoints,
  type Slowdown,
  showsLock,
} from "./free-sweep.ts";
import { isDirectMapLock, type KernelFacts, type Missing } from "./investigate.ts";
import type { RoundResult } from "./pressure.ts";
import type { LockName, PhaseLockShare, Reject } from "./result.ts";

/** One cost as fitted, with its 95 % interval. */
export interface FittedCost {
  readonly ns: number;
  readonly low: number;
  readonly high: number;
  /** Weakly: the points hardly change where it is another. */
  readonly identified: "well" | "weakly";
}

/** A model fitted to the points of a sweep. */
export interface FittedHost {
  readonly cpus: number;
  /** Hold of the lock and hand-over to the next, for one change of a 4 KiB entry. */
  readonly holdNs: FittedCost;
  /** Of a page, outside the lock. */
  readonly outsideNs: FittedCost;
  /** Of a file that is freed, beside its pages. */
  readonly fileNs: FittedCost;
  /** What the sender of one TLB flush of all CPUs waits. */
  readonly flushNs: FittedCost;
  /** Fault of one page of plain shared memory. */
  readonly faultNs: FittedCost;
  readonly spread: "none" | "exponential";
  /** Processes at which the lock saturates, if they do nothing else. */
  readonly kneeProcesses: { readonly value: number; readonly low: number; readonly high: number };
  /** In the order of the sweep's points. */
  readonly points: readonly FittedPoint[];
  /** |predicted ÷ measured − 1| of points that a fit did not see. */
  readonly predictionErrorPercent: { readonly median: number; readonly max: number };
}

/** One point of the sweep: time of a page, each process. */
export interface FittedPoint {
  readonly measuredNs: number;
  readonly measuredLow: number;
  readonly measuredHigh: number;
  readonly fittedNs: number;
  /** By a fit that did not see it. */
  readonly leftOutNs: number;
}

/** Lock waits as recorded, beside what the model says: nothing was fitted to them. */
export interface RecordedWait {
  readonly lock: LockName;
  readonly processes: number;
  readonly pagesPerFile: number;
  readonly waitNsPerPage: number;
  readonly predictedNsPerPage: number;
  /** Time of a page in the recorded rounds divided by that in the others: the observer's price. */
  readonly price: Ratio;
  readonly visibility: SpinlockVisibility;
}

export interface CalibrationResult {
  readonly kernel: KernelFacts;
  readonly points: readonly FreedPoint[];
  readonly alone: AlonePages;
  readonly calibration: FittedHost;
  readonly slowdown: Slowdown;
  /** Rounds that count although processes lost their CPUs. */
  readonly disturbed: number;
  /** Absent where `missing` says why, or where nobody waited. */
  readonly recorded?: RecordedWait;
  readonly missing: readonly Missing[];
  readonly pagesPerProcess: number;
  readonly rounds: number;
  readonly seed: number;
  readonly directMap: { readonly before: DirectMapCounters; readonly after: DirectMapCounters };
  readonly rejects: readonly Reject[];
}

/**
 * A fit takes all that slows processes that run together for the lock. Where plain memory, which
 * takes none, is slowed as much, the points do not tell hold and work outside apart.
 */
export function inDoubt<Fit extends Pick<FittedHost, "holdNs" | "outsideNs">>(
  fit: Fit,
  slowdown: Slowdown,
): Fit {
  if (showsLock(slowdown)) return fit;
  const weakly = (cost: FittedCost): FittedCost => ({ ...cost, identified: "weakly" });
  return { ...fit, holdNs: weakly(fit.holdNs), outsideNs: weakly(fit.outsideNs) };
}

/**
 * The wait for the lock of direct-map changes while pages were freed, for each page.
 * @param shares  of the recorded `rounds`, which are all of one point
 * @param unrecorded  that point
 * @returns undefined when nobody was seen to wait for such a lock
 */
export function recordedWait(
  shares: readonly PhaseLockShare[],
  rounds: readonly RoundResult[],
  unrecorded: FreedPoint,
  seed: number,
): Pick<RecordedWait, "lock" | "waitNsPerPage" | "price"> | undefined {
  const wait = shares.find((share) => share.phase === "free" && isDirectMapLock(share));
  if (wait === undefined) return undefined;
  const pages = rounds.reduce((sum, round) => sum + round.pages * round.processes, 0);
  const [recorded] = freedPoints(rounds);
  return {
    lock: wait.lock,
    waitNsPerPage: wait.waitNsTotal / pages,
    price: ratioOfMedians(recorded!.nsPerPage, unrecorded.nsPerPage, seed),
  };
}
