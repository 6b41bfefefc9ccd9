import { expect, test } from "vitest";
import { relativeWidth, replicationsNeeded } from "./storm-precision.ts";

test.each([
  // Student's t at 97.5 %: 2.776 for 4 degrees of freedom, 2.2281 for 10, 2.0423 for 30.
  { n: 5, t: 2.776 },
  { n: 11, t: 2.2281 },
  { n: 31, t: 2.0423 },
])("the interval of $n values is 2·t·s/√n wide", ({ n, t }) => {
  const values = Array.from({ length: n }, (_, i) => 100 + (i % 2));
  const mean = values.reduce((a, b) => a + b) / n;
  const s = Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (n - 1));
  expect(relativeWidth(values)).toBeCloseTo((2 * t * s) / Math.sqrt(n) / mean, 5);
});

test("the fewest that are enough are taken, however many there are", () => {
  const wish = { relativeWidth: 0.05, min: 2, max: 10 };
  expect(replicationsNeeded([90, 110], wish)).toBeUndefined();
  expect(replicationsNeeded([100, 100, 300, 900], wish)).toBe(2);
  expect(replicationsNeeded([1, 9, 1, 9, 1, 9, 1, 9, 1, 9, 5, 5], wish)).toBe(10);
});
