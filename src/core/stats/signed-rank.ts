// Pairs of measurements, compared by their ratios: Wilcoxon's signed-rank test, and the estimate and
// interval that belong to it. All on the logarithms of the ratios, so to swap the two sides inverts the
// answer. Assumes that a pair's logarithm is as likely to lie x above the true one as x below it, and
// nothing else of the shape of its distribution.
import { assert } from "../assert.ts";

export interface SignedRank {
  /** The pseudo-median of the ratios. */
  readonly value: number;
  /** Ends of its 95 % interval; absent below 6 pairs, where no such interval exists. */
  readonly low?: number;
  readonly high?: number;
  /** That the ratio is 1: exact, two-sided. */
  readonly p: number;
}

/** A half of what a 95 % interval leaves out. */
const TAIL = 0.025;

/**
 * The pseudo-median is the median of the averages of any two values, a value with itself among them;
 * its interval is what the test would not refuse at 5 %. Equal values have the mean of their ranks, and
 * the distribution is exact for these; a ratio of exactly 1 tells neither way, and the test leaves it
 * out, as Wilcoxon did. The interval is for values without ties, and too wide rather than too narrow
 * with them.
 * Sources: Hollander, Wolfe and Chicken, "Nonparametric Statistical Methods", 3rd ed., sections 3.1 to
 * 3.3; Hodges and Lehmann, "Estimates of location based on rank tests", 1963.
 * @param ratios  at least one, all positive and finite; some hundred at most (time grows as n³)
 */
export function signedRank(ratios: readonly number[]): SignedRank {
  assert(ratios.length > 0, "a signed-rank test needs a pair");
  assert(
    ratios.every((ratio) => ratio > 0 && Number.isFinite(ratio)),
    "a ratio is positive and finite",
  );
  const logs = ratios.map((ratio) => Math.log(ratio));
  const averages = walshAverages(logs);
  const value = Math.exp(
    (averages.at((averages.length - 1) >> 1)! + averages.at(averages.length >> 1)!) / 2,
  );
  const p = exactP(logs.filter((log) => log !== 0));
  const outside = ranksOutside(logs.length);
  if (outside === undefined) return { value, p };
  return {
    value,
    low: Math.exp(averages.at(outside)!),
    high: Math.exp(averages.at(-1 - outside)!),
    p,
  };
}

/**
 * The fewest pairs with which the test can say so much: the smallest p of n pairs, all on one side, is
 * 2 / 2^n.
 * @param p  above 0
 */
export function leastPairs(p: number): number {
  assert(p > 0, "no number of pairs makes p 0");
  let pairs = 1;
  for (let least = 1; least > p; least /= 2) pairs += 1;
  return pairs;
}

/** Ascending. */
function walshAverages(values: readonly number[]): Float64Array {
  const averages = values.flatMap((a, i) => values.slice(i).map((b) => (a + b) / 2));
  return Float64Array.from(averages).sort();
}

function exactP(values: readonly number[]): number {
  const ranks = doubledRanks(values.map(Math.abs));
  const positive = ranks.filter((_, i) => values[i]! > 0).reduce((sum, rank) => sum + rank, 0);
  const below = chancesOfSums(ranks).slice(0, Math.min(positive, sumOf(ranks) - positive) + 1);
  return Math.min(1, 2 * below.reduce((sum, chance) => sum + chance, 0));
}

/** Twice the rank of each, 1 the smallest; of equal ones twice the mean, which is whole again. */
function doubledRanks(values: readonly number[]): number[] {
  return values.map((value) => {
    const smaller = values.filter((other) => other < value).length;
    const equal = values.filter((other) => other === value).length;
    return 2 * smaller + equal + 1;
  });
}

/** By sum: how likely it is, where each rank is part of it by the toss of a coin. */
function chancesOfSums(ranks: readonly number[]): Float64Array {
  const chances = new Float64Array(sumOf(ranks) + 1);
  chances[0] = 1;
  let most = 0;
  for (const rank of ranks) {
    most += rank;
    for (let sum = most; sum >= 0; sum -= 1) {
      chances[sum] = (chances[sum]! + (sum >= rank ? chances[sum - rank]! : 0)) / 2;
    }
  }
  return chances;
}

/**
 * How many Walsh averages the 95 % interval leaves out at each end: the largest k for which a sum of
 * ranks is at most k with a chance of at most 2.5 %.
 */
function ranksOutside(n: number): number | undefined {
  const chances = chancesOfSums(Array.from({ length: n }, (_, i) => i + 1));
  let outside: number | undefined;
  let cumulative = 0;
  for (const [sum, chance] of chances.entries()) {
    cumulative += chance;
    if (cumulative > TAIL) return outside;
    outside = sum;
  }
  return outside;
}

function sumOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0);
}
