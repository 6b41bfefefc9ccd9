import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { randomFrom } from "../random.ts";
import { ratioOfMedians } from "./bootstrap.ts";

const samples = fc.array(fc.double({ min: 1e-3, max: 1e6, noNaN: true }), {
  minLength: 1,
  maxLength: 12,
});

describe("ratioOfMedians", () => {
  test("covers the true ratio about 95 times in 100", () => {
    const seed = 20221;
    const random = randomFrom(seed);
    const uniform = () => (random.u32() + 0.5) / 2 ** 32;
    // Log-normal: skewed to the right, as times are. Its median is exp(mu).
    const logNormal = (mu: number) =>
      Math.exp(mu + 0.3 * Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform()));
    const runs = 200;
    let covered = 0;
    for (let run = 0; run < runs; run += 1) {
      const above = Array.from({ length: 20 }, () => logNormal(Math.log(3)));
      const below = Array.from({ length: 20 }, () => logNormal(0));
      const { low, high } = ratioOfMedians(above, below, run);
      if (low <= 3 && 3 <= high) covered += 1;
    }
    // ±3 % is two standard errors of a share of 95 % in 200 runs.
    expect(Math.abs(covered / runs - 0.95), `seed ${seed}`).toBeLessThan(0.03);
  });

  test("the interval lies within what the extremes allow, for any samples", () => {
    fc.assert(
      fc.property(samples, samples, fc.integer(), (above, below, seed) => {
        const { value, low, high } = ratioOfMedians(above, below, seed);
        const within = 1 + 1e-12;
        expect(low).toBeGreaterThanOrEqual(Math.min(...above) / Math.max(...below) / within);
        expect(high).toBeLessThanOrEqual((Math.max(...above) / Math.min(...below)) * within);
        expect(low).toBeLessThanOrEqual(high);
        expect(value).toBeGreaterThan(0);
      }),
      { numRuns: 30 },
    );
  });

  test("samples without spread have an interval without width", () => {
    expect(ratioOfMedians([6, 6, 6], [2, 2], 1)).toEqual({ value: 3, low: 3, high: 3 });
  });

  test("the same seed draws the same interval", () => {
    const above = [5, 7, 9, 4, 6];
    const below = [2, 3, 1, 2, 4];
    expect(ratioOfMedians(above, below, 7)).toEqual(ratioOfMedians(above, below, 7));
  });

  test("the order of the values does not matter", () => {
    expect(ratioOfMedians([1, 2, 9], [3, 4, 5], 7)).toEqual(
      ratioOfMedians([9, 1, 2], [5, 3, 4], 7),
    );
  });

  test.each([
    { name: "no numerator", above: [], below: [1] },
    { name: "no denominator", above: [1], below: [] },
    { name: "a zero", above: [1], below: [0, 1] },
  ])("$name is a bug of the caller", ({ above, below }) => {
    expect(() => ratioOfMedians(above, below, 1)).toThrow(/^bug: /);
  });
});
