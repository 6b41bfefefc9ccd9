/** How sure the mean boot time of a point has to be. */
export interface Precision {
  /** Width of its 95 % interval, relative to the mean. */
  readonly relativeWidth: number;
  readonly min: number;
  readonly max: number;
}

/**
 * How many of these replications are enough: the fewest, from `min` on, whose interval is narrow
 * enough. It depends on the order of the replications alone, not on when each was done.
 * @param means  mean boot time of each replication, in the order of their seeds
 * @returns undefined when more are needed
 */
export function replicationsNeeded(means: readonly number[], wish: Precision): number | undefined {
  for (let n = wish.min; n <= means.length; n += 1) {
    if (n === wish.max || relativeWidth(means.slice(0, n)) <= wish.relativeWidth) return n;
  }
  return undefined;
}

/** Width of the 95 % interval of the mean (Student's t), relative to the mean. */
export function relativeWidth(values: readonly number[]): number {
  const n = values.length;
  const mean = values.reduce((sum, value) => sum + value, 0) / n;
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  return (2 * tQuantile(n - 1) * Math.sqrt(squares / (n - 1) / n)) / mean;
}

/** The 97.5 % quantile of Student's distribution: Abramowitz and Stegun, table 26.10 and 26.7.5. */
function tQuantile(freedom: number): number {
  const listed = T_975[freedom - 1];
  if (listed !== undefined) return listed;
  const z = 1.959963984540054;
  return (
    z +
    (z ** 3 + z) / (4 * freedom) +
    (5 * z ** 5 + 16 * z ** 3 + 3 * z) / (96 * freedom ** 2) +
    (3 * z ** 7 + 19 * z ** 5 + 17 * z ** 3 - 15 * z) / (384 * freedom ** 3)
  );
}

const T_975 = [12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262];
