import type { Random } from "../random.ts";
import { medianOfResample } from "../stats/bootstrap.ts";
import { quantileSorted } from "../stats/distribution.ts";
import { gaussNewtonStep, type Jacobian } from "../stats/least-squares.ts";
import {
  bestOf,
  type FreeFit,
  fitsOf,
  type MeasuredLoad,
  relativeJacobian,
} from "./calibration-fit.ts";
import type { FreeModel, FreeParameters } from "./calibration-model.ts";

/** A fit, and how the points change with its parameters. */
export interface LinearFit extends FreeFit {
  readonly jacobian: Jacobian;
}

/** All fits of both spreads: minima that the search came to. */
export function linearFits(
  loads: readonly MeasuredLoad[],
  model: FreeModel,
  onSpread: () => void,
): readonly LinearFit[] {
  return (["none", "exponential"] as const).flatMap((spread) => {
    const fits = fitsOf(loads, model, spread).map((fit) => ({
      ...fit,
      jacobian: relativeJacobian(loads, model, fit.parameters),
    }));
    onSpread();
    return fits;
  });
}

/**
 * Fits of resampled repetitions. Each is one step of Gauss and Newton from every known fit, and then
 * the best of them: so the choice among fits, and between the two spreads, is part of the scatter.
 * @param repetitions  of each point
 */
export function resampledFits(
  fits: readonly LinearFit[],
  repetitions: readonly (readonly number[])[],
  count: number,
  random: Random,
): readonly FreeParameters[] {
  const sorted = repetitions.map((values) => Float64Array.from(values).sort());
  const medians = sorted.map((values) => quantileSorted(values, 0.5));
  return Array.from({ length: count }, () => {
    const moved = sorted.map((values, i) =>
      Math.log(medianOfResample(values, random) / medians[i]!),
    );
    return bestOf(fits.map((fit) => refit(fit, moved))).parameters;
  });
}

/**
 * `none` when 95 % of the resamples prefer it, else `exponential`: real processes do not stay in
 * step for long, and near the knee a lock without chance promises too much.
 */
export function chosenFit(
  fits: readonly LinearFit[],
  resampled: readonly FreeParameters[],
): LinearFit {
  const none = resampled.filter((parameters) => parameters.spread === "none").length;
  const spread = none >= NONE_SHARE_MIN * resampled.length ? "none" : "exponential";
  return bestOf(fits.filter((fit) => fit.parameters.spread === spread));
}

const NONE_SHARE_MIN = 0.95;

/** The fit after each point has moved by so much, relatively. */
function refit({ jacobian, residuals, parameters }: LinearFit, moved: readonly number[]): FreeFit {
  const by = gaussNewtonStep(jacobian, moved, 0);
  const refitted = jacobian.map((row, i) =>
    row.reduce((residual, slope, j) => residual + slope * by[j]!, residuals[i]! - moved[i]!),
  );
  return {
    parameters: changed(parameters, by),
    residuals: refitted,
    sumOfSquares: refitted.reduce((sum, residual) => sum + residual * residual, 0),
  };
}

/**
 * Times, not their logarithms, are what points are nearly linear in. A page's time is well known
 * where its parts are not: what is below 0 in one of them was too much in the other.
 */
function changed(
  { holdNs, outsideNs, fileNs, spread }: FreeParameters,
  by: readonly number[],
): FreeParameters {
  const hold = holdNs * (1 + by[0]!);
  const page = Math.max(0, hold + outsideNs * (1 + by[1]!));
  const within = Math.max(0, Math.min(page, hold));
  return {
    holdNs: within,
    outsideNs: page - within,
    fileNs: Math.max(0, fileNs * (1 + by[2]!)),
    spread,
  };
}
