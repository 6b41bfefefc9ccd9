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

/** A fit, how the points change with its parameters, and how plausible it is among the others. */
export interface LinearFit extends FreeFit {
  readonly jacobian: Jacobian;
  /** All of them sum to 1. */
  readonly weight: number;
}

/** All fits of both spreads: minima that the search came to. */
export function linearFits(
  loads: readonly MeasuredLoad[],
  model: FreeModel,
  onSpread: () => void,
): readonly LinearFit[] {
  const fits = SPREADS.flatMap((spread) => {
    const found = fitsOf(loads, model, spread);
    onSpread();
    return found;
  });
  const weights = akaikeWeights(fits);
  return fits.map((fit, i) => ({
    ...fit,
    jacobian: relativeJacobian(loads, model, fit.parameters),
    weight: weights[i]!,
  }));
}

/**
 * Fits of resampled repetitions, each by one step of Gauss and Newton. They start from any of the
 * known fits, as often as those are plausible: so what the points do not decide, which minimum or
 * which spread is the right one, is part of the scatter.
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
    return refitted(drawn(fits, random), moved);
  });
}

/**
 * The best fit of `none` where that is plausible at 90 %, else of `exponential`: real processes do
 * not stay in step for long, and near the knee a lock without chance promises too much.
 */
export function chosenFit(fits: readonly LinearFit[]): LinearFit {
  const none = fits.filter((fit) => fit.parameters.spread === "none");
  const weight = none.reduce((sum, fit) => sum + fit.weight, 0);
  return bestOf(weight >= NONE_WEIGHT_MIN ? none : fits.filter((fit) => !none.includes(fit)));
}

const SPREADS = ["none", "exponential"] as const;
const NONE_WEIGHT_MIN = 0.9;
const INDEPENDENT_SHARE = 0.5;
/** Relative residuals below that are rounding, whoever has them. */
const ROUNDING = 1e-5;

/**
 * Likelihoods of fits with as many parameters each, their errors normal and of a size that nobody
 * knows: a sum of squares to the power of −n/2. Both spreads are as likely beforehand. Of n points
 * half count: neighbours share what the model gets wrong.
 * Source: Burnham and Anderson, "Model Selection and Multimodel Inference", 2nd ed., section 2.9.
 */
function akaikeWeights(fits: readonly FreeFit[]): readonly number[] {
  const points = fits[0]!.residuals.length;
  const power = (INDEPENDENT_SHARE * points) / 2;
  const sums = fits.map((fit) => fit.sumOfSquares + points * ROUNDING ** 2);
  const least = Math.min(...sums);
  const likelihoods = fits.map(({ parameters }, i) => {
    const alike = fits.filter((other) => other.parameters.spread === parameters.spread);
    return (least / sums[i]!) ** power / alike.length;
  });
  const all = likelihoods.reduce((sum, likelihood) => sum + likelihood, 0);
  return likelihoods.map((likelihood) => likelihood / all);
}

/** One of the fits, by chance. */
function drawn(fits: readonly LinearFit[], random: Random): LinearFit {
  let left = random.u32() / 2 ** 32;
  for (const fit of fits) {
    left -= fit.weight;
    if (left < 0) return fit;
  }
  return bestOf(fits);
}

/**
 * The parameters after each point has moved by so much, relatively. Times, not their logarithms, are
 * what points are nearly linear in. A page's time is well known where its parts are not: what is
 * below 0 in one of them was too much in the other.
 */
function refitted({ jacobian, parameters }: LinearFit, moved: readonly number[]): FreeParameters {
  const [byHold, byOutside, byFile] = gaussNewtonStep(jacobian, moved, 0);
  const { holdNs, outsideNs, fileNs, spread } = parameters;
  const hold = holdNs * (1 + byHold!);
  const page = Math.max(0, hold + outsideNs * (1 + byOutside!));
  const within = Math.max(0, Math.min(page, hold));
  return {
    holdNs: within,
    outsideNs: page - within,
    fileNs: Math.max(0, fileNs * (1 + byFile!)),
    spread,
  };
}
