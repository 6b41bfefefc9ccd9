import { COST_TABLES, type CostKey, type CostsNs, costsNs } from "../../kernel/cost/cost-table.ts";
import type { Design } from "../../kernel/design.ts";
import type { StartEntry } from "../program.ts";
import { pathOf, workNs } from "./guest-path.ts";

/** What an operation takes in a guest, as far as its base kernel tells. */
export interface GuestCosts {
  /** A change of a 4 KiB entry under the base's lock. */
  readonly holdNs: number;
  /** The rest of an operation. */
  readonly outsideNs: number;
  /** From one holder to the next who has waited. */
  readonly handOverNs: number;
  /** What a split adds on its own CPU. */
  readonly splitNs: number;
  /** Until an idle vCPU has answered a flush, by the guest's vCPUs. */
  readonly idleAnswerNs: ReadonlyMap<number, number>;
  /** Until one that runs has; undefined: no point tells, and it is taken for an idle one. */
  readonly runningAnswerNs?: number;
  /** How long a vCPU spins on average until another one gets its CPU; NaN: no point tells. */
  readonly spinNs?: number;
}

/** Time of one operation of the base kernel, all threads together; NaN: no point tells. */
export interface BaseTimes {
  /** `toggle`, one thread, and two at once. */
  readonly toggleNs: number;
  readonly toggleByTwoNs: number;
  /** `toggle`, more threads than CPUs of the host. */
  readonly toggleCrowdedNs: number;
  /** `split`, one thread, by vCPUs. */
  readonly splitNs: ReadonlyMap<number, number>;
  /** `split`, two threads on all vCPUs of their guest. */
  readonly splitByTwoNs: number;
}

/**
 * Costs that are sums of times, each from the points that show it:
 * - One thread toggles: hold + outside.
 * - Two threads toggle: what the lock lets through, hold + hand-over. How much of it is which is not
 *   to be seen; the least hand-over, and then the least outside, is what is taken.
 * - One thread of a guest with one vCPU splits: hold + outside + split.
 * - One thread of a larger guest splits: the others' answers too. The others are idle, and get the
 *   CPUs of the host that are left one after the other.
 */
export function summedCosts(work: BaseWork, times: BaseTimes, hostCpus: number): GuestCosts {
  const { toggleNs, toggleByTwoNs } = times;
  // Two threads get done at most twice as much.
  const holdNs = Math.min(toggleNs, Math.max(toggleByTwoNs, toggleNs / 2));
  const alone = times.splitNs.get(1);
  const splitNs =
    alone === undefined ? (work.splitNs * holdNs) / work.holdNs : Math.max(0, alone - toggleNs);
  const idleAnswerNs = new Map<number, number>();
  for (const [vcpus, ns] of times.splitNs) {
    const turns = Math.ceil((vcpus - 1) / (hostCpus - 1));
    if (vcpus > 1) idleAnswerNs.set(vcpus, Math.max(0, ns - toggleNs - splitNs) / turns);
  }
  return {
    holdNs,
    outsideNs: toggleNs - holdNs,
    handOverNs: Math.max(0, toggleByTwoNs - toggleNs),
    splitNs,
    idleAnswerNs,
  };
}

/** Until a vCPU has answered a flush: one that runs, and how much longer one that is idle takes. */
export function answersOf(
  costs: GuestCosts,
  vcpus: number,
): { runningNs: number; wakeUpNs: number } {
  const idleNs = costs.idleAnswerNs.get(vcpus) ?? 0;
  const runningNs = Math.min(idleNs, costs.runningAnswerNs ?? idleNs);
  return { runningNs, wakeUpNs: idleNs - runningNs };
}

/** The costs as the simulator takes them, for guests of one size. */
export function simulatedCosts(work: BaseWork, costs: GuestCosts, vcpus: number): CostsNs {
  // All of a path is faster or slower than in the table by one factor, but for the split's own work.
  const factor = costs.holdNs / work.holdNs;
  const scaled = Object.fromEntries(PATH_KEYS.map((key) => [key, TABLE[key].ns * factor]));
  const fillTable = TABLE.fillTable.ns * factor + costs.splitNs - work.splitNs * factor;
  return costsNs(TABLE, {
    ...scaled,
    fillTable: Math.max(0, fillTable),
    ipiHandler: answersOf(costs, vcpus).runningNs,
    lineL3: costs.handOverNs / 2,
    timeSlice: TIME_SLICE_NS,
  });
}

/** Work of the base's paths by the cost table. */
export interface BaseWork {
  /** A change of a 4 KiB entry. */
  readonly holdNs: number;
  /** What a split adds to it. */
  readonly splitNs: number;
}

export function baseWork(design: Design): BaseWork {
  const ns = (entry: StartEntry) => workNs(pathOf(design, costsNs(TABLE), entry, 0));
  return { holdNs: ns("table"), splitNs: ns("2m") - ns("table") };
}

/**
 * Turns of threads that do nothing but compute, more of them than CPUs: a base slice of 1.4 ms on two
 * CPUs (700 µs × (1 + log2 CPUs), kernel/sched/fair.c), up to the next tick. Measured on Linux 6.18
 * with HZ=250: 3.9 ms.
 */
export const TIME_SLICE_NS = 4_000_000;

const TABLE = COST_TABLES.get("epyc-milan")!;

const PATH_KEYS = [
  "readPud",
  "readPmd",
  "readPte",
  "writePte",
  "installTable",
  "clearMark",
  "allocPage",
  "freePage",
] as const satisfies readonly CostKey[];
