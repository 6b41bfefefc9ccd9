import { expect, test } from "vitest";
import { armOf, noisyBoots, orderOf, runOf } from "../../../../test/fixtures/kernel-boots.ts";
import { isTight, pairsLeast } from "./enough.ts";
import { kernelAbResult } from "./kernel-ab-result.ts";

const RUN = runOf([armOf("a"), armOf("b"), armOf("c")]);
const ORDERS = [orderOf("toggle", 1), orderOf("split", 1)];
const resultOf = (repetitions: number, noise: number) =>
  kernelAbResult(
    RUN,
    noisyBoots(ORDERS, [() => 1e6, () => 2e6, () => 3e6], {
      seed: 5,
      repetitions,
      drift: 0,
      noise,
    }),
  );

test("with so many pairs every comparison is found, with one less none: 4 comparisons, 8 pairs", () => {
  expect(pairsLeast(4)).toBe(8);
  const verdicts = (pairs: number) => resultOf(pairs, 0.01).comparisons.map((each) => each.verdict);
  expect(verdicts(8)).toEqual(Array(4).fill("faster"));
  expect(verdicts(7)).toEqual(Array(4).fill("too-few"));
});

test.each([
  [1, 6],
  [2, 7],
  [12, 9],
  [24, 10],
])("%i comparisons need %i pairs", (comparisons, pairs) => {
  expect(pairsLeast(comparisons)).toBe(pairs);
});

test("tight: the widest interval, on its wider side", () => {
  const result = resultOf(10, 0.2);
  const factors = result.comparisons.flatMap(({ speedUp: { value, low, high } }) => [
    high! / value,
    value / low!,
  ]);
  const widest = Math.max(...factors) - 1;
  expect(isTight(result, widest * 1.0001)).toBe(true);
  expect(isTight(result, widest * 0.9999)).toBe(false);
});

test("where there is no interval, or nothing to compare, nothing is tight", () => {
  expect(isTight(resultOf(5, 0.0001), 100)).toBe(false);
  expect(isTight(kernelAbResult(RUN, []), 100)).toBe(false);
});
