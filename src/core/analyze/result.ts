// What the analyses answer: plain data with units in the names, the shapes `--json` prints and
// the reports draw. Keys may be added, never renamed.

import type { DirectMapCounters } from "../facts/direct-map-counters.ts";
import type { Ratio } from "../stats/bootstrap.ts";
import type { Distribution } from "../stats/distribution.ts";

export type { Ratio };

/**
 * What made us call a lock by its name.
 * `symbol`: the kernel's symbol table has the address; of a simulated kernel, the model has. `caller`: the functions that wait for it are
 * those that take this lock. `none`: only the address is known.
 */
export type LockEvidence = "symbol" | "caller" | "none";

export interface LockName {
  /** The kernel's name, such as `cpa_lock`; for a lock without a name, its address. */
  readonly name: string;
  /** 16 hexadecimal digits with 0x: exact, where a JSON number would not be. */
  readonly address: string;
  readonly evidence: LockEvidence;
}

/** Waits for one lock from one caller, contended acquisitions only. */
export interface LockWaitRow {
  /** Of locks that exist many times, such as one a page table, that which was waited for most. */
  readonly lock: LockName;
  /** How many locks of this name and caller were waited for. */
  readonly lockCount: number;
  /** First function outside the locking code; absent when no call stacks were recorded. */
  readonly caller?: string;
  readonly process?: string;
  readonly vm?: string;
  /** How waiters wait: `spin` burns the CPU, `sleep` leaves it to others. */
  readonly kind: "spin" | "sleep";
  readonly waits: number;
  readonly waitNsTotal: number;
  readonly waitNsMean: number;
  readonly waitNsP99: number;
  readonly waitNsMax: number;
  /** The part of waitNsTotal that the recorder may have caused by walking call stacks. */
  readonly observerNsTotal: number;
  /** waitNsTotal divided by the CPU time of the observed span (span × CPUs). */
  readonly shareOfCpuTime: number;
}

export interface Reject {
  readonly why: string;
  readonly count: number;
}

/** Where rows come from, and what that source could not tell. */
export interface TraceSummary {
  readonly source: string;
  readonly spanNs: number;
  readonly cpuCount: number;
  readonly events: number;
  /** Events the kernel overwrote or we had no room for. */
  readonly lost: number;
  readonly rejects: readonly Reject[];
  /** Kinds of events the source can see at all. */
  readonly sees: readonly string[];
}

export interface ContentionResult {
  readonly rows: readonly LockWaitRow[];
  readonly totals: { readonly waits: number; readonly waitNsTotal: number };
  readonly trace: TraceSummary;
}

/**
 * What the pressure processes do. `fill` touches fresh secret pages: one direct-map change and one
 * round of flush interrupts a page. `free` gives them back together: the direct-map change alone.
 * `control` touches plain memory: no direct-map change.
 */
export type PressurePhaseName = "fill" | "free" | "control";

export interface PressurePoint {
  readonly processes: number;
  /** All processes together, one value a round. */
  readonly pagesPerSecond: Distribution;
  /** One process's time for a page, one value a round and process. */
  readonly nsPerPage: Distribution;
}

export interface PressurePhase {
  readonly phase: PressurePhaseName;
  readonly points: readonly PressurePoint[];
}

/** How far one phase scales: throughput at the most processes against one process. */
export interface Scaling {
  readonly phase: PressurePhaseName;
  readonly processes: number;
  readonly ratio: Ratio;
}

/** Wait of the pressure processes for one lock during one phase of the recorded rounds. */
export interface PhaseLockShare {
  readonly phase: PressurePhaseName;
  readonly processes: number;
  readonly lock: LockName;
  /** The caller with the most waits for this lock in this phase, where call stacks were recorded. */
  readonly caller?: string;
  /** That caller's part of those waits, 0..1. */
  readonly callerShare?: number;
  readonly waits: number;
  readonly waitNsTotal: number;
  /** waitNsTotal divided by the time of all processes in that phase. */
  readonly shareOfTime: number;
}

export interface PressureResult {
  readonly phases: readonly PressurePhase[];
  readonly scaling: readonly Scaling[];
  readonly seed: number;
  readonly pagesPerProcess: number;
  readonly rounds: number;
  readonly directMap: { readonly before: DirectMapCounters; readonly after: DirectMapCounters };
  /** Absent when this host does not let us record lock events. */
  readonly contention?: ContentionResult;
  readonly lockShares?: readonly PhaseLockShare[];
  /** Throughput of recorded rounds divided by that of unrecorded ones: the observer's price. */
  readonly recordedThroughput?: readonly Scaling[];
}

/** A short piece of a trace for drawing: who waited where and when. */
export interface WaitTimeline {
  readonly spanNs: number;
  readonly lanes: readonly WaitLane[];
  /** Locks in the order of their total wait; `lock` of a wait is an index into it. */
  readonly locks: readonly LockName[];
  /** Waits that lie in the window but are left out, because there were too many to draw. */
  readonly leftOut: number;
}

export interface WaitLane {
  readonly cpu: number;
  readonly waits: readonly {
    readonly tNs: number;
    readonly waitNs: number;
    readonly lock: number;
  }[];
}
