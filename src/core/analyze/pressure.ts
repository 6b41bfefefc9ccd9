// Rounds of the pressure load → the curve of each phase and how far it scales.

import type { DirectMapCounters } from "../facts/direct-map-counters.ts";
import { ratioOfMedians } from "../stats/bootstrap.ts";
import { distributionOf } from "../stats/distribution.ts";
import type { PressurePhase, PressurePhaseName, PressurePoint, Scaling } from "./result.ts";

/** `secret` pages leave the direct map and come back; `plain` ones, the control, stay in it. */
export type RoundKind = "secret" | "plain";

/** What one round is to do. */
export interface RoundAsk {
  readonly kind: RoundKind;
  readonly processes: number;
  /** Of each process. */
  readonly pages: number;
  /** Absent: all pages in one file. */
  readonly split?: FileSplit;
}

/** A process's pages in files of equal size. It frees one after the other and waits after each. */
export interface FileSplit {
  readonly files: number;
  /** Busy wait in user space, at least: work outside the kernel, and so outside its locks. */
  readonly delayNs: number;
}

/** From the moment a process began its system call or stores to the moment they were done. */
export interface Span {
  readonly startNs: bigint;
  readonly endNs: bigint;
}

export interface RoundWorker {
  readonly pid: number;
  readonly cpu: number;
  readonly fill: Span;
  readonly free: Span;
  /** Mean of the busy waits as they were; where the pages were split. */
  readonly delayNs?: number;
  /** How often the process lost its CPU to another while it freed, where that was counted. */
  readonly freePreemptions?: number;
}

/**
 * One round as it happened. Times are absolute, of CLOCK_MONOTONIC, so that lock events recorded
 * with the trace clock `mono` can be attributed to its phases; hence bigint.
 */
export interface RoundResult extends RoundAsk {
  readonly workers: readonly RoundWorker[];
}

/** Throughput and cost of every phase that has rounds, at every number of processes. */
export function pressurePhases(rounds: readonly RoundResult[]): PressurePhase[] {
  return PHASES.flatMap((phase) => {
    const points = processCounts(roundsOf(rounds, phase)).map((processes) =>
      pressurePoint(roundsOf(rounds, phase, processes), phase),
    );
    return points.length === 0 ? [] : [{ phase, points }];
  });
}

/**
 * Throughput at the most processes against that of one process, a row per phase. A phase without
 * rounds at one process, or at more than one, has no row: there is nothing to compare.
 */
export function pressureScaling(rounds: readonly RoundResult[], seed: number): Scaling[] {
  return PHASES.flatMap((phase) => {
    const processes = Math.max(...processCounts(roundsOf(rounds, phase)));
    if (!(processes > 1)) return [];
    const many = roundsOf(rounds, phase, processes);
    const one = roundsOf(rounds, phase, 1);
    return scalingRow(phase, processes, many, one, seed);
  });
}

/** Throughput of recorded rounds against that of unrecorded ones: the observer's price. */
export function recordedThroughput(
  recorded: readonly RoundResult[],
  unrecorded: readonly RoundResult[],
  seed: number,
): Scaling[] {
  return PHASES.flatMap((phase) =>
    processCounts(roundsOf(recorded, phase)).flatMap((processes) =>
      scalingRow(
        phase,
        processes,
        roundsOf(recorded, phase, processes),
        roundsOf(unrecorded, phase, processes),
        seed,
      ),
    ),
  );
}

/** What a worker did in a phase; undefined when rounds of this kind have no such phase. */
export function phaseSpan(
  round: RoundResult,
  worker: RoundWorker,
  phase: PressurePhaseName,
): Span | undefined {
  if (KIND_OF[phase] !== round.kind) return undefined;
  return phase === "free" ? worker.free : worker.fill;
}

/**
 * True when all processes began each phase within 5 % of its length. A round where one came late
 * measures the scheduler: the others worked without it, and throughput looks lower than it is.
 */
export function startedTogether(round: RoundResult): boolean {
  return PHASES.every((phase) => beganTogether(spansOf(round, phase)));
}

/** True when the last of some processes began within 5 % of the time that all of them took. */
export function beganTogether(spans: readonly Span[]): boolean {
  if (spans.length === 0) return true;
  const starts = spans.map(({ startNs }) => startNs);
  const whole = wholeSpan(spans);
  return Number(max(starts) - whole.startNs) <= 0.05 * durationNs(whole);
}

/**
 * True while most of the direct map is mapped by 2M and 1G entries: the load will split some, and
 * they stay split until reboot (before 6.15, which collapses them again under some conditions), so
 * the person is asked first. False also where the kernel does not tell.
 */
export function directMapIsLarge(counters: DirectMapCounters): boolean {
  const large = (counters.map2mBytes ?? 0) + (counters.map1gBytes ?? 0);
  return large > (counters.map4kBytes ?? 0);
}

const PHASES: readonly PressurePhaseName[] = ["fill", "free", "control"];

// The control is the fill of plain pages: the same faults without the change of the direct map.
const KIND_OF: Record<PressurePhaseName, RoundKind> = {
  fill: "secret",
  free: "secret",
  control: "plain",
};

function roundsOf(
  rounds: readonly RoundResult[],
  phase: PressurePhaseName,
  processes?: number,
): RoundResult[] {
  return rounds.filter(
    (round) =>
      round.kind === KIND_OF[phase] && (processes === undefined || round.processes === processes),
  );
}

function processCounts(rounds: readonly RoundResult[]): number[] {
  return [...new Set(rounds.map((round) => round.processes))].sort((a, b) => a - b);
}

function pressurePoint(rounds: readonly RoundResult[], phase: PressurePhaseName): PressurePoint {
  return {
    processes: rounds[0]!.processes,
    pagesPerSecond: distributionOf(rounds.map((round) => pagesPerSecond(round, phase))),
    nsPerPage: distributionOf(
      rounds.flatMap((round) =>
        spansOf(round, phase).map((span) => durationNs(span) / round.pages),
      ),
    ),
  };
}

function scalingRow(
  phase: PressurePhaseName,
  processes: number,
  above: readonly RoundResult[],
  below: readonly RoundResult[],
  seed: number,
): Scaling[] {
  if (above.length === 0 || below.length === 0) return [];
  const throughputs = (rounds: readonly RoundResult[]) =>
    rounds.map((round) => pagesPerSecond(round, phase));
  return [
    { phase, processes, ratio: ratioOfMedians(throughputs(above), throughputs(below), seed) },
  ];
}

/** All pages of the round over the time from the first start to the last end. */
function pagesPerSecond(round: RoundResult, phase: PressurePhaseName): number {
  const spans = spansOf(round, phase);
  return (round.pages * spans.length * 1e9) / durationNs(wholeSpan(spans));
}

function spansOf(round: RoundResult, phase: PressurePhaseName): Span[] {
  return round.workers.flatMap((worker) => phaseSpan(round, worker, phase) ?? []);
}

function wholeSpan(spans: readonly Span[]): Span {
  return {
    startNs: min(spans.map(({ startNs }) => startNs)),
    endNs: max(spans.map(({ endNs }) => endNs)),
  };
}

/** At least 1: what is too short for the clock is not infinitely fast. */
function durationNs({ startNs, endNs }: Span): number {
  return Math.max(1, Number(endNs - startNs));
}

function min(values: readonly bigint[]): bigint {
  return values.reduce((least, value) => (value < least ? value : least));
}

function max(values: readonly bigint[]): bigint {
  return values.reduce((most, value) => (value > most ? value : most));
}
