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
  const squares = values.reduce((sum, value) => sum + (value - mean) * (value - mean), 0);
  return (2 * tQuantile(n - 1) * Math.sqrt(squares / (n - 1) / n)) / mean;
}

/** The 97.5 % quantile of Student's distribution: Abramowitz and Stegun, table 26.10 and 26.7.5. */
function tQuantile(freedom: number): number {
  const listed = T_975[freedom - 1];
  if (listed !== undefined) return listed;
  const z = 1.959963984540054;
  const z2 = z * z;
  const f = freedom;
  return (
    z +
    ((z2 + 1) * z) / (4 * f) +
    (((5 * z2 + 16) * z2 + 3) * z) / (96 * f * f) +
    ((((3 * z2 + 19) * z2 + 17) * z2 - 15) * z) / (384 * f * f * f)
  );
}

const T_975 = [12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262];
