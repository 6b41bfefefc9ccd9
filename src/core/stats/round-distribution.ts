import { assert } from "../assert.ts";
import { type Distribution, distributionOf, quantileSorted } from "./distribution.ts";
import { resampled } from "./resample.ts";

/** The values of some rounds together; `n` counts the values. */
export interface RoundDistribution extends Distribution {
  readonly p99: number;
  readonly rounds: number;
}

/** Below this many rounds there is no 95 % interval (see distribution.ts). */
const INTERVAL_FROM_ROUNDS = 6;

/**
 * Values that were taken in rounds. Those of one round share its luck, so their number says little of
 * how sure the median is: whole rounds are drawn anew for its interval, not values. Below 6 rounds
 * `low` and `high` are the smallest and the largest median of a round.
 * Source: Davison and Hinkley, "Bootstrap Methods and their Application", 1997, section 3.8.
 * @param rounds  at least one, each with at least one finite value; any order of both gives the same
 */
export function distributionOfRounds(
  rounds: readonly ArrayLike<number>[],
  seed: number,
): RoundDistribution {
  const sorted = rounds.map((round) => Float64Array.from(round).sort()).sort(byValues);
  assert(sorted.length > 0 && sorted[0]!.length > 0, "a distribution needs a value in each round");
  const pooled = Float64Array.from(sorted.flatMap((round) => [...round])).sort();
  const all = distributionOf(pooled);
  const medians = sorted.map((round) => quantileSorted(round, 0.5));
  const { low, high } =
    sorted.length < INTERVAL_FROM_ROUNDS
      ? { low: Math.min(...medians), high: Math.max(...medians) }
      : medianInterval(sorted, seed);
  return {
    ...all,
    low: Math.min(low, all.median),
    high: Math.max(high, all.median),
    p99: quantileSorted(pooled, 0.99),
    rounds: sorted.length,
  };
}

function medianInterval(rounds: readonly Float64Array[], seed: number) {
  // All values once in order, with the round of each: a resample is then one walk instead of a sort.
  const values = rounds.flatMap((round, index) => Array.from(round, (value) => ({ value, index })));
  values.sort((a, b) => a.value - b.value);
  const value = Float64Array.from(values, (each) => each.value);
  const roundOf = Int32Array.from(values, (each) => each.index);
  const times = new Int32Array(rounds.length);
  const [interval] = resampled(
    [rounds.length],
    ([drawn]) => {
      times.fill(0);
      let count = 0;
      for (const round of drawn!) {
        times[round]! += 1;
        count += rounds[round]!.length;
      }
      return [medianOfRepeated(value, roundOf, times, count)];
    },
    seed,
  );
  return interval!;
}

/** The median of sorted values, each as often as its round was drawn. */
function medianOfRepeated(
  value: Float64Array,
  roundOf: Int32Array,
  times: Int32Array,
  count: number,
): number {
  const [below, above] = [Math.floor((count - 1) / 2), Math.floor(count / 2)];
  let passed = 0;
  let lower = Number.NaN;
  for (let i = 0; i < value.length; i += 1) {
    passed += times[roundOf[i]!]!;
    if (Number.isNaN(lower) && passed > below) lower = value[i]!;
    if (passed > above) return (lower + value[i]!) / 2;
  }
  return lower;
}

/** Some order that depends on the values alone. */
function byValues(a: Float64Array, b: Float64Array): number {
  for (let i = 0; i < Math.min(a.length, b.length); i += 1) {
    if (a[i] !== b[i]) return a[i]! - b[i]!;
  }
  return a.length - b.length;
}
