/**
 * p-values of several tests, adjusted: where those below 5 % are taken for differences, the chance of
 * one or more false ones among all is at most 5 %, however the tests depend on each other. The smallest
 * counts times the number of tests, the next times one less, and none is below a smaller one's.
 * Source: Holm, "A simple sequentially rejective multiple test procedure", 1979.
 * @returns in the order of the input, each at most 1
 */
export function holm(ps: readonly number[]): number[] {
  const ascending = ps.map((p, index) => ({ p, index })).sort((a, b) => a.p - b.p);
  const adjusted = new Array<number>(ps.length);
  let most = 0;
  ascending.forEach(({ p, index }, smaller) => {
    most = Math.max(most, Math.min(1, p * (ps.length - smaller)));
    adjusted[index] = most;
  });
  return adjusted;
}
