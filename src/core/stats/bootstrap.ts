import { assert } from "../assert.ts";
import { type Random, randomFrom } from "../random.ts";
import { quantileSorted } from "./distribution.ts";

/** A ratio of two medians with its 95 % bootstrap interval. */
export interface Ratio {
  readonly value: number;
  readonly low: number;
  readonly high: number;
}

// 2,000 resamples leave the 2.5 % quantile a standard error of 0.35 % of rank, well below what the
// few dozen rounds of a measurement can tell apart. 2,000 × 2 samples × 20 rounds: about 10 ms.
const RESAMPLES = 2000;

/**
 * How many times larger the median of one sample is than that of another, independent one.
 * The interval is the percentile bootstrap: both samples are drawn anew with replacement, and the
 * middle 95 % of the ratios is kept. It assumes nothing of the shape of either distribution.
 * Below 6 values a side it is too narrow, because the extremes are seldom seen.
 * Source: Efron and Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 13.
 * @param numerator  at least one number, all positive
 * @param denominator  likewise
 * @param seed  the same seed, the same interval
 */
export function ratioOfMedians(
  numerator: ArrayLike<number>,
  denominator: ArrayLike<number>,
  seed: number,
): Ratio {
  assert(numerator.length > 0, "a ratio needs a numerator");
  assert(denominator.length > 0, "a ratio needs a denominator");
  const above = Float64Array.from(numerator).sort();
  const below = Float64Array.from(denominator).sort();
  assert(above[0]! > 0, "a numerator is positive");
  assert(below[0]! > 0, "a denominator is positive");
  const random = randomFrom(seed);
  const ratios = Float64Array.from(
    { length: RESAMPLES },
    () => medianOfResample(above, random) / medianOfResample(below, random),
  ).sort();
  return {
    value: quantileSorted(above, 0.5) / quantileSorted(below, 0.5),
    low: quantileSorted(ratios, 0.025),
    high: quantileSorted(ratios, 0.975),
  };
}

/** The median of as many values as there are, drawn from them with replacement. */
export function medianOfResample(values: Float64Array, random: Random): number {
  const drawn = new Float64Array(values.length);
  for (let i = 0; i < drawn.length; i += 1) drawn[i] = values[random.below(values.length)]!;
  return quantileSorted(drawn.sort(), 0.5);
}
