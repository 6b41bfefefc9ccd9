// What `investigate` concludes from what it measured: findings as data, the honest one first.
// Words are put to them in `report/sentence.ts`.

import type { HostFact } from "../facts/host-fact.ts";
import type { SpinlockVisibility } from "../facts/spinlock-visibility.ts";
import type {
  LockName,
  PhaseLockShare,
  PressurePhaseName,
  PressureResult,
  Ratio,
  Scaling,
  WaitTimeline,
} from "./result.ts";

export interface InvestigateResult {
  readonly answer: Answer;
  readonly kernel: KernelFacts;
  readonly host: readonly HostFact[];
  /** Absent when the load could not be run; `missing` says why. */
  readonly pressure?: PressureResult;
  /** The most telling first. */
  readonly findings: readonly Finding[];
  readonly timeline?: WaitTimeline;
  /** Which waits for spinlocks the recording could see at all. */
  readonly spinlockVisibility?: SpinlockVisibility;
  readonly missing: readonly Missing[];
  /** Commands that repeat this run, in order. */
  readonly reproduce: readonly string[];
}

/** What the one sentence says. Later steps add to it: what would fix the lead, and what it gains. */
export interface Answer {
  readonly lead: Finding;
  /** The other phase, where it tells another story. */
  readonly beside?: PhaseFinding;
}

export interface KernelFacts {
  readonly release: string;
  readonly cpuCount: number;
  readonly cpuModel: string;
}

/** Something this run could not see or do. */
export interface Missing {
  readonly what: string;
  readonly why: string;
  /** The line that would allow it; absent when nothing can be done. */
  readonly remedy?: string;
}

/** Throughput of one phase at the most processes, beside what the control says was possible. */
export interface PhaseOutcome {
  readonly phase: PressurePhaseName;
  readonly processes: number;
  readonly ratio: Ratio;
  readonly controlRatio?: Ratio;
}

/** The wait for one lock during one phase. */
export interface LargestWait {
  readonly lock: LockName;
  /** The caller with the most wait for this lock; absent when no call stacks were recorded. */
  readonly caller?: string;
  /** That caller's part of the waits for this lock, 0..1. */
  readonly callerShare?: number;
  /** All waits for this lock, divided by the time of all processes in the phase. */
  readonly shareOfTime: number;
}

/**
 * `serialised`: more processes bring next to nothing, and waiting for the lock is most of the loss.
 * `held-back`: more processes bring too little, and waiting for the lock is most of the loss.
 * `does-not-scale`: more processes bring too little, and lock waits were not recorded or are not
 * most of the loss. `scales`: they bring what they should. `undecided`: the intervals are too wide
 * to tell. `control-does-not-scale`: even plain memory does not scale here, so nothing can be
 * blamed on the direct map. `no-comparison`: only one process ran.
 */
export type Finding =
  | ({ readonly kind: "serialised" | "held-back" } & PhaseOutcome & LargestWait)
  | ({
      readonly kind: "does-not-scale";
      readonly recorded: boolean;
      readonly largestWait?: LargestWait;
    } & PhaseOutcome)
  | ({ readonly kind: "scales" | "undecided"; readonly largestWait?: LargestWait } & PhaseOutcome)
  | { readonly kind: "control-does-not-scale"; readonly processes: number; readonly ratio: Ratio }
  | { readonly kind: "not-recorded"; readonly why: string }
  | { readonly kind: "no-comparison" }
  | { readonly kind: "no-pressure"; readonly why: string };

/** A finding about one phase of the load. */
export type PhaseFinding = Extract<Finding, PhaseOutcome>;

export interface FindingsContext {
  readonly cpuCount: number;
  /** Why there is no load or no recording, for the findings that say so. */
  readonly whyNoPressure?: string;
  readonly whyNotRecorded?: string;
}

/**
 * What the measurement shows, and nothing beyond it.
 * @returns at least one finding, the most telling first
 */
export function findingsOf(
  pressure: PressureResult | undefined,
  context: FindingsContext,
): readonly Finding[] {
  if (pressure === undefined) {
    return [{ kind: "no-pressure", why: context.whyNoPressure ?? "it was not asked for" }];
  }
  const findings = findingsOfPhases(pressure, context.cpuCount);
  if (pressure.lockShares === undefined) {
    findings.push({ kind: "not-recorded", why: context.whyNotRecorded ?? "it was not asked for" });
  }
  return findings;
}

/** @param findings  from `findingsOf`, most telling first */
export function answerOf(findings: readonly Finding[]): Answer {
  const lead = findings[0]!;
  const beside = findings.find(
    (each): each is PhaseFinding =>
      each !== lead && isPhaseFinding(each) && each.kind !== lead.kind,
  );
  return { lead, ...(isPhaseFinding(lead) && beside !== undefined ? { beside } : {}) };
}

function isPhaseFinding(finding: Finding): finding is PhaseFinding {
  return "phase" in finding;
}

/** Below this part of the time a lock is no part of an answer. */
const WORTH_SAYING_FROM = 0.005;
/** Functions whose callers change the direct map, or that do it themselves. */
const DIRECT_MAP = /set_direct_map|set_memory|change_page_attr|set_pages|^cpa_|^pgd_lock$/;

/** True where a wait shows the lock that direct-map changes pass one at a time, and it is felt. */
export function showsDirectMapLock(wait: LargestWait | undefined): wait is LargestWait {
  return wait !== undefined && wait.shareOfTime >= WORTH_SAYING_FROM && isDirectMapLock(wait);
}

/** True for the lock that direct-map changes pass one at a time, by its name or by who waits. */
export function isDirectMapLock({
  lock,
  caller = "",
}: Pick<LargestWait, "lock" | "caller">): boolean {
  return DIRECT_MAP.test(caller) || DIRECT_MAP.test(lock.name);
}

// The gain is the part of the possible improvement that more processes brought: 0 where N got no
// more than one, 1 where N got N times as much, negative where they got less than one. The three
// limits are our choice of words for numbers that are always printed beside them.

/** From this gain on, work is said to scale. */
const SCALES_FROM = 0.5;
/** Up to this gain, work is said to be serialised: four processes get less than 1.75× of one. */
const SERIALISED_UP_TO = 0.25;
/** Part of the lost time that waiting for one lock must account for before we blame that lock. */
const BLAME_FROM = 0.5;

function findingsOfPhases(pressure: PressureResult, cpuCount: number): Finding[] {
  const control = widest(pressure.scaling, "control");
  const measured = (["free", "fill"] as const).flatMap((phase) => {
    const scaling = widest(pressure.scaling, phase);
    return scaling === undefined || possible(scaling, cpuCount) < 2 ? [] : [scaling];
  });
  if (measured.length === 0) return [{ kind: "no-comparison" }];
  const findings = measured.map((scaling) =>
    findingOfPhase(scaling, control, pressure.lockShares, cpuCount),
  );
  if (
    control !== undefined &&
    gain(control.ratio.high, possible(control, cpuCount)) < SCALES_FROM
  ) {
    const { processes, ratio } = control;
    findings.push({ kind: "control-does-not-scale", processes, ratio });
  }
  return findings.sort((a, b) => weight(b) - weight(a));
}

function findingOfPhase(
  scaling: Scaling,
  control: Scaling | undefined,
  lockShares: readonly PhaseLockShare[] | undefined,
  cpuCount: number,
): Finding {
  const { phase, processes, ratio } = scaling;
  const controlRatio = control?.ratio;
  const outcome = { phase, processes, ratio, ...(controlRatio && { controlRatio }) };
  const most = possible(scaling, cpuCount);
  const wait = lockShares && largestWait(lockShares, phase, processes);
  const waited = wait && { largestWait: wait };
  if (gain(ratio.low, most) >= SCALES_FROM) return { kind: "scales", ...outcome, ...waited };
  const short = gain(ratio.high, most) < SCALES_FROM;
  const belowControl = controlRatio === undefined || ratio.high < controlRatio.low;
  if (!short || !belowControl) return { kind: "undecided", ...outcome, ...waited };

  // Of every second of a process, this part is lost against what the machine showed it can do.
  const lost = 1 - ratio.value / Math.min(most, controlRatio?.value ?? most);
  if (wait === undefined || wait.shareOfTime < lost * BLAME_FROM) {
    const recorded = lockShares !== undefined;
    return { kind: "does-not-scale", ...outcome, recorded, ...waited };
  }
  const kind = gain(ratio.high, most) <= SERIALISED_UP_TO ? "serialised" : "held-back";
  return { kind, ...outcome, ...wait };
}

/** The lock with the most wait in a phase, whoever called; undefined when nothing waited. */
function largestWait(
  shares: readonly PhaseLockShare[],
  phase: PressurePhaseName,
  processes: number,
): LargestWait | undefined {
  // By name, as the rows are: locks that exist many times count as one kind.
  const byLock = new Map<string, PhaseLockShare[]>();
  for (const share of shares) {
    if (share.phase !== phase || share.processes !== processes || share.shareOfTime <= 0) continue;
    const rows = byLock.get(share.lock.name);
    if (rows === undefined) byLock.set(share.lock.name, [share]);
    else rows.push(share);
  }
  let largest: LargestWait | undefined;
  for (const rows of byLock.values()) {
    const shareOfTime = rows.reduce((sum, row) => sum + row.shareOfTime, 0);
    if (largest !== undefined && largest.shareOfTime >= shareOfTime) continue;
    const top = rows.reduce((a, b) => (b.shareOfTime > a.shareOfTime ? b : a));
    const called = top.caller !== undefined && {
      caller: top.caller,
      callerShare: ((top.callerShare ?? 1) * top.shareOfTime) / shareOfTime,
    };
    largest = { lock: top.lock, shareOfTime, ...called };
  }
  return largest;
}

/** Order of telling: doubt about everything else first, then by how much a lock explains. */
function weight(finding: Finding): number {
  switch (finding.kind) {
    case "control-does-not-scale":
      return 60;
    case "serialised":
      return 50 + finding.shareOfTime;
    case "held-back":
      return 40 + finding.shareOfTime;
    case "does-not-scale":
      return 30 + (finding.largestWait?.shareOfTime ?? 0);
    case "undecided":
      return 20 + (finding.largestWait?.shareOfTime ?? 0);
    case "scales": {
      const { largestWait } = finding;
      return (showsDirectMapLock(largestWait) ? 35 : 10) + (largestWait?.shareOfTime ?? 0);
    }
    default:
      return 0;
  }
}

function widest(scaling: readonly Scaling[], phase: PressurePhaseName): Scaling | undefined {
  return scaling
    .filter((one) => one.phase === phase)
    .reduce<Scaling | undefined>(
      (a, b) => (a === undefined || b.processes > a.processes ? b : a),
      undefined,
    );
}

/** How many times the throughput of one process this many could reach: no more than the CPUs. */
function possible(scaling: Scaling, cpuCount: number): number {
  return Math.min(scaling.processes, cpuCount);
}

function gain(ratio: number, most: number): number {
  return (ratio - 1) / (most - 1);
}
