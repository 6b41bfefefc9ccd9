import { assert } from "../assert.ts";

/**
 * A sample in seven numbers, in the unit its key names.
 * `low` and `high` bound the median with at least 95 % confidence; where `n` is below 6 no such
 * interval exists, and they are the smallest and the largest value.
 */
export interface Distribution {
  readonly median: number;
  readonly mean: number;
  readonly p95: number;
  readonly max: number;
  readonly low: number;
  readonly high: number;
  readonly n: number;
}

/**
 * @param values  at least one finite number, in any order
 */
export function distributionOf(values: ArrayLike<number>): Distribution {
  assert(values.length > 0, "a distribution needs a value");
  const sorted = Float64Array.from(values).sort();
  const n = sorted.length;
  let sum = 0;
  for (const value of sorted) sum += value;
  const margin = medianIntervalRank(n);
  return {
    median: quantileSorted(sorted, 0.5),
    mean: sum / n,
    p95: quantileSorted(sorted, 0.95),
    max: sorted[n - 1]!,
    low: sorted[margin]!,
    high: sorted[n - 1 - margin]!,
    n,
  };
}

/**
 * Quantile with linear interpolation between order statistics (type 7 of Hyndman and Fan, 1996).
 * @param sorted  ascending, not empty
 * @param q  0..1
 */
export function quantileSorted(sorted: Float64Array, q: number): number {
  const position = (sorted.length - 1) * q;
  const below = Math.floor(position);
  const above = Math.min(below + 1, sorted.length - 1);
  return sorted[below]! + (sorted[above]! - sorted[below]!) * (position - below);
}

/**
 * The 0-based rank r for which [x(r), x(n−1−r)] covers the median of any continuous distribution
 * with probability of at least 95 %: the largest r with P(Binomial(n, ½) ≤ r) ≤ 2.5 %, needing no
 * assumption of normality and no randomness. 0 when even the whole range covers less.
 * Source: David and Nagaraja, "Order Statistics", 3rd ed., section 7.1.
 */
export function medianIntervalRank(n: number): number {
  // Work with logarithms: 2^-n underflows above n = 1074.
  let logTerm = -n * Math.LN2;
  let cumulative = 0;
  let rank = 0;
  for (let k = 0; k < n / 2; k += 1) {
    cumulative += Math.exp(logTerm);
    if (cumulative > 0.025) break;
    rank = k;
    logTerm += Math.log((n - k) / (k + 1));
  }
  return rank;
}
