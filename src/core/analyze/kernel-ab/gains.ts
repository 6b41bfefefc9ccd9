// What each kernel gains over the base, measured, and beside it what a model of the base predicted.
import type { KernelAbResult, LoadPlace } from "./result.ts";

/** What a model says of the kernels of a run, or why it says nothing. */
export type KernelPredictionOutcome = KernelPrediction | { readonly why: string };

export interface KernelPrediction {
  /** Fitted to the base. */
  readonly costs: readonly {
    readonly name: string;
    readonly ns: number;
    readonly low: number;
    readonly high: number;
  }[];
  readonly points: readonly PredictedArmPoint[];
  /** What the model leaves out, one sentence each. */
  readonly leavesOut: readonly string[];
}

/** Throughput of an arm under a load, as predicted. */
export interface PredictedArmPoint extends LoadPlace {
  readonly arm: number;
  readonly opsPerSecond: number;
  readonly low: number;
  readonly high: number;
  /** The model has been fitted to this point: no prediction. */
  readonly fitted: boolean;
}

/** Throughput over that of the base. An open end of an interval is absent. */
export interface GainRange {
  readonly value: number;
  readonly low?: number;
  readonly high?: number;
}

/** An arm against the base under one load. */
export interface Gain extends LoadPlace {
  readonly arm: number;
  /** Absent where arm and base have no pair of boots. */
  readonly measured?: GainRange & {
    readonly pairs: number;
    readonly p: number;
    readonly verdict: "faster" | "slower" | "no-difference" | "too-few";
  };
  /** Absent where the model says nothing of the arm or of the base. */
  readonly predicted?: GainRange & {
    /** Predicted over measured gain. */
    readonly overMeasured?: number;
  };
}

export interface KernelGains {
  /** By load and guest as the points of the result, then by arm. */
  readonly rows: readonly Gain[];
  /** Over all rows that have a prediction and a whole measured interval; absent where none has. */
  readonly accuracy?: {
    readonly rows: number;
    /** Median of how many times too high or too low, at least 1. */
    readonly timesOffMedian: number;
    readonly timesOffMax: number;
    /** The median of rows with one thread, whose code may differ but which never waits for a lock. */
    readonly timesOffAlone?: number;
    /** Predicted ranges that meet the measured interval. */
    readonly within: number;
  };
}

/** Every arm but the base at every place, whether or not it was measured or predicted there. */
export function kernelGains(
  { arms, points, comparisons }: KernelAbResult,
  prediction: KernelPredictionOutcome,
): KernelGains {
  const predicted = "why" in prediction ? [] : prediction.points;
  const rows = points
    .filter(({ load }) => load !== "mixed")
    .flatMap((place) =>
      arms.slice(1).map((_, index): Gain => {
        const arm = index + 1;
        const own = comparisons.find((each) => each.arm === arm && isSamePlace(each, place));
        const gain = predictedGain(
          predicted.find((each) => each.arm === arm && isSamePlace(each, place)),
          predicted.find((each) => each.arm === 0 && isSamePlace(each, place)),
        );
        const { load, vcpus, threads } = place;
        return {
          load,
          vcpus,
          threads,
          arm,
          ...(own && {
            measured: {
              ...own.speedUp,
              pairs: own.pairs,
              p: own.pAdjusted,
              verdict: own.verdict,
            },
          }),
          ...(gain && {
            predicted: { ...gain, ...(own && { overMeasured: gain.value / own.speedUp.value }) },
          }),
        };
      }),
    );
  const accuracy = accuracyOf(rows);
  return { rows, ...(accuracy && { accuracy }) };
}

/** True when both are the same load on guests of the same size. */
export function isSamePlace(a: LoadPlace, b: LoadPlace): boolean {
  return a.load === b.load && a.vcpus === b.vcpus && a.threads === b.threads;
}

/** The same costs drive arm and base, so both are low together, and high together. */
function predictedGain(
  arm: PredictedArmPoint | undefined,
  base: PredictedArmPoint | undefined,
): Required<GainRange> | undefined {
  if (arm === undefined || base === undefined) return undefined;
  const value = arm.opsPerSecond / base.opsPerSecond;
  const ends = [arm.low / base.low, value, arm.high / base.high];
  return { value, low: Math.min(...ends), high: Math.max(...ends) };
}

function accuracyOf(rows: readonly Gain[]): KernelGains["accuracy"] {
  const both = rows.flatMap(({ measured, predicted, threads }) => {
    if (measured?.low === undefined || measured.high === undefined) return [];
    if (!predicted?.overMeasured) return [];
    const times = Math.max(predicted.overMeasured, 1 / predicted.overMeasured);
    return [{ low: measured.low, high: measured.high, predicted, times, threads }];
  });
  if (both.length === 0) return undefined;
  const timesOff = (of: typeof both) => of.map(({ times }) => times).sort((a, b) => a - b);
  const off = timesOff(both);
  const alone = timesOff(both.filter(({ threads }) => threads === 1));
  const within = both.filter(
    ({ low, high, predicted }) => predicted.low! <= high && predicted.high! >= low,
  );
  return {
    rows: both.length,
    timesOffMedian: medianOf(off),
    timesOffMax: off.at(-1)!,
    ...(alone.length === 0 ? {} : { timesOffAlone: medianOf(alone) }),
    within: within.length,
  };
}

/** @param sorted  ascending, not empty */
function medianOf(sorted: readonly number[]): number {
  const [below, above] = [Math.floor((sorted.length - 1) / 2), Math.ceil((sorted.length - 1) / 2)];
  return (sorted[below]! + sorted[above]!) / 2;
}
