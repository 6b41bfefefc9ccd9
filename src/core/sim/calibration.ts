import { assert } from "../assert.ts";
import { type Random, randomFrom } from "../random.ts";
import { medianOfResample } from "../stats/bootstrap.ts";
import { distributionOf, quantileSorted } from "../stats/distribution.ts";
import { type Jacobian, sensitivities } from "../stats/least-squares.ts";
import { bestOf, fitsOf } from "./calibration-fit.ts";
import { chosenFit, linearFits, resampledFits } from "./calibration-interval.ts";
import { type FreeLoad, FreeModel, type FreeParameters } from "./calibration-model.ts";

/** One point of the sweep as measured: each process frees files of secret memory, one after another. */
export interface FreePoint extends FreeLoad {
  /** One value a repetition: mean over the processes of (span of the process ÷ its pages). */
  readonly nsPerPage: readonly number[];
}

/** One process alone, ns a page, one value a repetition. */
export interface OnePageCosts {
  /** Fault, direct-map change, flush of all CPUs. */
  readonly secretFillNs: readonly number[];
  /** Fault. */
  readonly plainFillNs: readonly number[];
  /** Direct-map change, no flush. */
  readonly secretFreeNs: readonly number[];
  readonly plainFreeNs: readonly number[];
}

export interface CalibrationInput {
  readonly cpus: number;
  /** Of at least two numbers of processes; times are positive. */
  readonly free: readonly FreePoint[];
  readonly onePage: OnePageCosts;
  readonly seed: number;
  readonly bootstraps: number;
}

/** A value with its 95 % bootstrap interval. */
export interface Estimate {
  readonly ns: number;
  readonly low: number;
  readonly high: number;
  /** `weakly`: the interval is wider than a factor of 1.5, or the points hardly depend on the value. */
  readonly identified: "well" | "weakly";
}

export interface CalibratedPoint extends FreeLoad {
  /** Median and its 95 % interval. */
  readonly measuredNs: number;
  readonly measuredLow: number;
  readonly measuredHigh: number;
  readonly fittedNs: number;
  /** Prediction by a fit, of the same spread, that saw no point of these processes and this delay. */
  readonly leftOutNs: number;
}

export interface Calibration {
  readonly cpus: number;
  /** Hold of the lock and hand-over to the next, for one change of a 4 KiB entry. */
  readonly holdNs: Estimate;
  /** Of a page, outside the lock. */
  readonly outsideNs: Estimate;
  /** Of a file: munmap, eviction. */
  readonly fileNs: Estimate;
  /** What the sender of one TLB flush of all CPUs waits. */
  readonly flushNs: Estimate;
  /** Fault of one 4 KiB page of plain shared memory. */
  readonly faultNs: Estimate;
  /** Of holds and work: `none` only where it describes the points clearly better. */
  readonly spread: "none" | "exponential";
  /** (S + Z)/S of pages freed back to back: processes at which the lock saturates. */
  readonly kneeProcesses: { readonly value: number; readonly low: number; readonly high: number };
  readonly points: readonly CalibratedPoint[];
  /** |left out ÷ measured − 1| over the points: the error to expect of a prediction. */
  readonly predictionErrorPercent: { readonly median: number; readonly max: number };
}

/**
 * Fits the simulator to what a host did. Points of one process show hold + outside + file ÷ pages;
 * only waiting tells the hold from the rest, so that more than one process is needed, files of two
 * sizes to tell a file's time from its pages', and delays to see the lock both free and busy.
 *
 * What is left out, and which answer it bends: times of a real host vary less than exponential ones
 * and more than not at all. Fitted as exponential its hold comes out too short, by up to 15 % where
 * the points are few processes, and the interval does not know of that.
 *
 * A flush is what secret memory adds to taking a page, less what it adds to giving one back:
 * (secretFill − plainFill) − (secretFree − plainFree). This assumes that a direct-map change takes
 * as long in both directions, and that all else secret memory does for a page does too.
 * @param onProgress  is told the share that is done, up to 1
 */
export function calibrate(
  input: CalibrationInput,
  onProgress: (share: number) => void = () => {},
): Calibration {
  const { free, seed, bootstraps } = input;
  const numbers = new Set(free.map((point) => point.processes));
  assert(numbers.size > 1, "a calibration has points of more than one number of processes");
  const times = free.flatMap((point) => point.nsPerPage);
  assert(Math.min(...times) > 0, "what was measured took time");
  const model = new FreeModel(seed);
  const measured = free.map((point) => distributionOf(point.nsPerPage));
  const loads = free.map((point, i) => ({ ...point, measuredNs: measured[i]!.median }));
  const groups = [...new Set(loads.map(groupOf))];
  let done = 0;
  const step = () => {
    done += 1;
    onProgress(done / (2 + groups.length));
  };

  const fits = linearFits(loads, model, step);
  const random = randomFrom(seed);
  const repetitions = free.map((point) => point.nsPerPage);
  const resampled = resampledFits(fits, repetitions, bootstraps, random);
  const { parameters, jacobian } = chosenFit(fits);
  const leftOut = new Map<string, FreeParameters>();
  for (const group of groups) {
    const others = loads.filter((load) => groupOf(load) !== group);
    leftOut.set(group, bestOf(fitsOf(others, model, parameters.spread)).parameters);
    step();
  }

  const points = loads.map((load, i): CalibratedPoint => {
    const { processes, pagesPerFile, filesPerProcess, delayNs, measuredNs } = load;
    return {
      processes,
      pagesPerFile,
      filesPerProcess,
      delayNs,
      measuredNs,
      measuredLow: measured[i]!.low,
      measuredHigh: measured[i]!.high,
      fittedNs: model.nsPerPage(parameters, load),
      leftOutNs: model.nsPerPage(leftOut.get(groupOf(load))!, load),
    };
  });
  const [holdIsFlat, outsideIsFlat, fileIsFlat] = flatness(jacobian);
  const interval = (of: (fit: FreeParameters) => number) =>
    around(of(parameters), Float64Array.from(resampled, of));
  const errors = points.map((point) => 100 * Math.abs(point.leftOutNs / point.measuredNs - 1));
  const { median, max } = distributionOf(errors);
  return {
    cpus: input.cpus,
    holdNs: estimate(
      interval((fit) => fit.holdNs),
      holdIsFlat,
    ),
    outsideNs: estimate(
      interval((fit) => fit.outsideNs),
      outsideIsFlat,
    ),
    fileNs: estimate(
      interval((fit) => fit.fileNs),
      fileIsFlat,
    ),
    ...onePageEstimates(input.onePage, bootstraps, random),
    spread: parameters.spread,
    kneeProcesses: interval(knee),
    points,
    predictionErrorPercent: { median, max },
  };
}

/**
 * What the fitted model says of a point, ns a page.
 * @param seed  another seed, another 0.3 %
 */
export function predictNsPerPage(
  calibration: Pick<Calibration, "holdNs" | "outsideNs" | "fileNs" | "spread">,
  point: FreeLoad,
  seed: number,
): number {
  const { holdNs, outsideNs, fileNs, spread } = calibration;
  const parameters = { holdNs: holdNs.ns, outsideNs: outsideNs.ns, fileNs: fileNs.ns, spread };
  return new FreeModel(seed).nsPerPage(parameters, point);
}

/** An interval wider than this factor, end to end, is weak. */
const WEAK_FACTOR = 1.5;
/** So is a value that, changed by that factor, moves the points by less (root of the mean square). */
const FLAT = 0.01;

/** Points that a left-out fit must not know of each other. */
function groupOf({ processes, delayNs }: FreeLoad): string {
  return `${processes} ${delayNs}`;
}

/** By parameter: whether the points hardly depend on it once the others follow. */
function flatness(jacobian: Jacobian): readonly boolean[] {
  const change = Math.log(WEAK_FACTOR) / Math.sqrt(jacobian.length);
  return sensitivities(jacobian).map((movement) => movement * change < FLAT);
}

function knee({ holdNs, outsideNs }: FreeParameters): number {
  // A resample may leave no hold at all; no host has a million CPUs.
  return holdNs > 1e-6 * outsideNs ? (holdNs + outsideNs) / holdNs : 1e6;
}

function onePageEstimates(
  onePage: OnePageCosts,
  bootstraps: number,
  random: Random,
): Pick<Calibration, "flushNs" | "faultNs"> {
  const sorted = (values: readonly number[]) => Float64Array.from(values).sort();
  const secretFill = sorted(onePage.secretFillNs);
  const plainFill = sorted(onePage.plainFillNs);
  const secretFree = sorted(onePage.secretFreeNs);
  const plainFree = sorted(onePage.plainFreeNs);
  type Middle = (values: Float64Array) => number;
  const flush = (of: Middle) =>
    Math.max(0, of(secretFill) - of(plainFill) - (of(secretFree) - of(plainFree)));
  const interval = (what: (of: Middle) => number) =>
    around(
      what((values) => quantileSorted(values, 0.5)),
      Float64Array.from({ length: bootstraps }, () =>
        what((values) => medianOfResample(values, random)),
      ),
    );
  return {
    flushNs: estimate(interval(flush)),
    faultNs: estimate(interval((of) => of(plainFill))),
  };
}

interface Interval {
  readonly value: number;
  readonly low: number;
  readonly high: number;
}

/** The middle 95 %, and the value itself where that is of the less plausible spread. */
function around(value: number, drawn: Float64Array): Interval {
  const sorted = drawn.sort();
  return {
    value,
    low: Math.min(value, quantileSorted(sorted, 0.025)),
    high: Math.max(value, quantileSorted(sorted, 0.975)),
  };
}

function estimate({ value, low, high }: Interval, isFlat = false): Estimate {
  const isWeak = isFlat || value === 0 || high > WEAK_FACTOR * low;
  return { ns: value, low, high, identified: isWeak ? "weakly" : "well" };
}
