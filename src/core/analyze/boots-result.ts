// Real boots, analysed: rounds in, plain data out. The report draws it, `--json` prints it.
import { assert } from "../assert.ts";
import type { Accelerator, BootRecord, BootRound, Milestone, Outcome } from "../event/boot.ts";
import type { SpinlockVisibility } from "../facts/spinlock-visibility.ts";
import { type BootBlame, type BootMakeup, bootBlame, bootMakeups } from "./boot-blame.ts";
import { type BootCaveat, bootCaveats } from "./boot-caveats.ts";
import { type BootChange, bootChanges } from "./boot-changes.ts";
import { type BootCurve, bootCurves } from "./boot-curve.ts";
import { type BestLimits, bestLimits } from "./boot-limits.ts";
import { type BootLockPoint, bootLocks, type RoundTrace, recordedWaits } from "./boot-locks.ts";
import { isReady, phasesOf, serviceNs, sinceRequestNs } from "./boot-phases.ts";
import { type BootPoint, bootPoints } from "./boot-points.ts";
import { type BootSetting, mainSeries, settingKey, settingOf } from "./boot-setting.ts";
import { lockWaits } from "./lock-wait.ts";
import type { ContentionResult, Reject } from "./result.ts";
import { spinEvidence } from "./spin-evidence.ts";

export type { Accelerator, Outcome };

export interface BootsResult {
  readonly seed: number;
  /** Settings in the order in which they are told; the first series is what the answer is about. */
  readonly points: readonly BootPoint[];
  readonly curves: readonly BootCurve[];
  /** Where limits, kinds or pressure ran beside each other. */
  readonly changes: readonly BootChange[];
  readonly bestLimits: readonly BestLimits[];
  readonly makeups: readonly BootMakeup[];
  readonly blame: readonly BootBlame[];
  /** Empty when no lock waits were recorded. */
  readonly locks: readonly BootLockPoint[];
  /** Every VM of every measured round. */
  readonly vms: readonly BootVm[];
  /** All rounds, as they were given: `round` counts in this list. */
  readonly rounds: readonly RoundSummary[];
  /** Rounds worth drawing: the one of the most VMs whose length is the median, and its like under the
   * limit with the best mean. */
  readonly tellingRounds: readonly number[];
  /** The most frequent first. */
  readonly failures: readonly BootFailure[];
  /** All waits of the recorded round of the most VMs, of any process. */
  readonly contention?: ContentionResult & { readonly round: number };
  readonly spinlockVisibility?: SpinlockVisibility;
  /** Lines of the rounds' file that were not used. */
  readonly rejects: readonly Reject[];
  readonly caveats: readonly BootCaveat[];
}

export interface BootVm {
  readonly round: number;
  readonly name: string;
  readonly group: string;
  readonly outcome: Outcome;
  readonly why?: string;
  /** Lengths of its phases (see boot-phases.ts), up to ready or the last milestone it passed. */
  readonly phasesMs: Readonly<Record<string, number>>;
  /** When it passed its milestones, after the round's time 0. */
  readonly atMs: Readonly<Partial<Record<Milestone, number>>>;
  readonly readyMs?: number;
  readonly sinceRequestMs?: number;
  readonly cpuMs?: number;
  readonly memoryBytes?: number;
}

export interface RoundSummary extends BootSetting {
  readonly repetition: number;
  readonly role: BootRound["role"];
  readonly spanMs: number;
  readonly failed: number;
  readonly cpuBusyShare: number;
  /** CPUs that others than the round's VMs kept busy. */
  readonly otherCpus: number;
}

/** Boots of measured rounds that ended alike. */
export interface BootFailure {
  readonly outcome: Outcome;
  readonly why?: string;
  readonly count: number;
  /** The first of them. */
  readonly round: number;
  readonly name: string;
  readonly consoleTail: readonly string[];
}

export interface BootsOptions {
  readonly seed: number;
  /** From reading the file of the rounds. */
  readonly rejects?: readonly Reject[];
}

/**
 * @param rounds  of any role, in any order
 * @param traces  recorded during some of them; times are taken from those without call stacks
 */
export function bootsResult(
  rounds: readonly BootRound[],
  traces: readonly RoundTrace[],
  { seed, rejects = [] }: BootsOptions,
): BootsResult {
  assert(
    traces.every(({ round }) => rounds[round] !== undefined),
    "a trace belongs to a round",
  );
  const points = bootPoints(rounds, seed);
  const changes = bootChanges(rounds, seed);
  const limits = bestLimits(rounds, seed);
  const recorded = recordedWaits(rounds, traces);
  const locks = bootLocks(recorded);
  const rejectedLines = rejects.reduce((sum, { count }) => sum + count, 0);
  return {
    seed,
    points,
    curves: bootCurves(rounds, seed),
    changes,
    bestLimits: limits,
    makeups: bootMakeups(rounds, recorded),
    blame: bootBlame(rounds, recorded, seed),
    locks,
    vms: rounds.flatMap((round, index) =>
      round.role === "measured" ? round.boots.map((boot) => vmOf(boot, index)) : [],
    ),
    rounds: rounds.map(summaryOf),
    tellingRounds: tellingRounds(rounds, points, limits),
    failures: failuresOf(rounds),
    ...contentionOf(rounds, traces, locks),
    rejects,
    caveats: bootCaveats({ rounds, traces, points, locks, changes, rejectedLines, seed }),
  };
}

function vmOf(boot: BootRecord, round: number): BootVm {
  const { name, group, outcome, why, seen, cpuNs, memoryBytes } = boot;
  return {
    round,
    name,
    group,
    outcome,
    ...(why === undefined ? {} : { why }),
    phasesMs: Object.fromEntries(
      phasesOf(boot).map((phase) => [phase.name, (phase.toNs - phase.fromNs) / 1e6]),
    ),
    atMs: Object.fromEntries(
      Object.entries(seen).map(([milestone, { atNs }]) => [milestone, atNs / 1e6]),
    ),
    ...(isReady(boot)
      ? { readyMs: serviceNs(boot) / 1e6, sinceRequestMs: sinceRequestNs(boot) / 1e6 }
      : {}),
    ...(cpuNs === undefined ? {} : { cpuMs: cpuNs / 1e6 }),
    ...(memoryBytes === undefined ? {} : { memoryBytes }),
  };
}

function summaryOf(round: BootRound): RoundSummary {
  const { repetition, role, spanNs, boots, load } = round;
  return {
    ...settingOf(round),
    repetition,
    role,
    spanMs: spanNs / 1e6,
    failed: boots.filter((boot) => !isReady(boot)).length,
    cpuBusyShare: load.cpuBusyShare,
    otherCpus: load.otherCpuNs / Math.max(1, spanNs),
  };
}

function tellingRounds(
  rounds: readonly BootRound[],
  points: readonly BootPoint[],
  limits: readonly BestLimits[],
): number[] {
  const most = mainSeries(points).at(-1);
  if (most === undefined) return [];
  const best = limits.find(
    ({ vms, kind, pressure }) =>
      vms === most.vms && kind === most.kind && pressure === most.pressure,
  )?.best.mean.limit;
  const settings = [
    most,
    ...(best === undefined || best === most.limit ? [] : [{ ...most, limit: best }]),
  ];
  return settings.map((setting) => medianRound(rounds, setting));
}

/** The measured round of a setting with the median length: neither its best nor its worst. */
function medianRound(rounds: readonly BootRound[], setting: BootSetting): number {
  const own = rounds
    .map((round, index) => ({ round, index }))
    .filter(({ round }) => round.role === "measured" && settingKey(round) === settingKey(setting))
    .sort((a, b) => a.round.spanNs - b.round.spanNs);
  return own[Math.floor((own.length - 1) / 2)]!.index;
}

function failuresOf(rounds: readonly BootRound[]): BootFailure[] {
  const groups = new Map<string, BootFailure>();
  rounds.forEach(({ role, boots }, round) => {
    if (role !== "measured") return;
    for (const { outcome, why, name, consoleTail = [] } of boots) {
      if (outcome === "ready") continue;
      const key = `${outcome} ${why}`;
      const known = groups.get(key);
      const first = {
        outcome,
        ...(why === undefined ? {} : { why }),
        count: 0,
        round,
        name,
        consoleTail,
      };
      groups.set(key, { ...(known ?? first), count: (known?.count ?? 0) + 1 });
    }
  });
  return [...groups.values()].sort((a, b) => b.count - a.count);
}

/** Of the main series' most VMs that have a trace; times without stacks where both are there. */
function contentionOf(
  rounds: readonly BootRound[],
  traces: readonly RoundTrace[],
  locks: readonly BootLockPoint[],
): Pick<BootsResult, "contention" | "spinlockVisibility"> {
  const most = mainSeries(locks).at(-1);
  if (most === undefined) return {};
  const own = traces.filter(
    ({ round, trace }) =>
      rounds[round]!.role !== "warm-up" &&
      settingKey(rounds[round]!) === settingKey(most) &&
      trace.meta.sees.includes("lockWait"),
  );
  const witness = own.find(({ trace }) => trace.meta.stacks);
  const timed = own.find(({ trace }) => !trace.meta.stacks) ?? own[0]!;
  const options = witness === undefined || witness === timed ? {} : { witness: witness.trace };
  const anyWitness = traces.find(({ trace }) => trace.meta.stacks) ?? timed;
  return {
    contention: {
      ...lockWaits(timed.trace, { by: "caller", ...options }),
      round: timed.round,
    },
    spinlockVisibility: spinEvidence(anyWitness.trace),
  };
}
