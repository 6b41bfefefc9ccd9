import { randomFrom } from "../random.ts";
import { quantileSorted } from "./distribution.ts";

/** A number with its 95 % interval. */
export interface Estimate {
  readonly value: number;
  readonly low: number;
  readonly high: number;
}

/** Number of resamples: see bootstrap.ts. */
const RESAMPLES = 2000;

/**
 * 95 % intervals of some statistics by the percentile bootstrap: each sample is drawn anew with
 * replacement, and the middle 95 % of what comes out is kept. Samples are drawn independently of
 * each other. Below 6 members of a sample it is too narrow, because the extremes are seldom seen.
 * Source: Efron and Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 13.
 * @param sizes  members of each sample
 * @param statistics  numbers from the indices drawn of each sample, always as many; the arrays are used
 *   again after the call
 * @returns for each statistic its value of the samples as they are, and its interval
 */
export function resampled(
  sizes: readonly number[],
  statistics: (drawn: readonly Int32Array[]) => readonly number[],
  seed: number,
): readonly Estimate[] {
  const random = randomFrom(seed);
  const drawn = sizes.map((size) => Int32Array.from({ length: size }, (_, i) => i));
  const values = statistics(drawn);
  const spread = values.map(() => new Float64Array(RESAMPLES));
  for (let resample = 0; resample < RESAMPLES; resample += 1) {
    for (const indices of drawn) {
      for (let i = 0; i < indices.length; i += 1) indices[i] = random.below(indices.length);
    }
    statistics(drawn).forEach((value, which) => {
      spread[which]![resample] = value;
    });
  }
  return values.map((value, which) => {
    const sorted = spread[which]!.sort();
    return { value, low: quantileSorted(sorted, 0.025), high: quantileSorted(sorted, 0.975) };
  });
}
