// When a run has boots enough.
import { leastPairs } from "../../stats/signed-rank.ts";
import { DIFFERENCE_P } from "./comparisons.ts";
import type { KernelAbResult } from "./result.ts";

/**
 * The fewest pairs of boots with which each of so many comparisons could be found to be different,
 * whatever the others show.
 * @param comparisons  at least 1
 */
export function pairsLeast(comparisons: number): number {
  return leastPairs(DIFFERENCE_P / comparisons);
}

/**
 * Whether every speed-up is known to a factor of 1 + precision, up and down. One without an interval is
 * not, and where nothing is compared nothing is known.
 */
export function isTight({ comparisons }: KernelAbResult, precision: number): boolean {
  const factor = 1 + precision;
  return (
    comparisons.length > 0 &&
    comparisons.every(
      ({ speedUp: { value, low = 0, high = Number.POSITIVE_INFINITY } }) =>
        high <= value * factor && low >= value / factor,
    )
  );
}
