import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { randomFrom } from "../random.ts";
import { distributionOf } from "./distribution.ts";
import { distributionOfRounds } from "./round-distribution.ts";

const rounds = fc.array(
  fc.array(fc.double({ min: 1, max: 1e6, noNaN: true }), { minLength: 1, maxLength: 8 }),
  { minLength: 1, maxLength: 9 },
);

describe("distributionOfRounds", () => {
  test("the numbers are those of all values together", () => {
    fc.assert(
      fc.property(rounds, (all) => {
        const { low, high, p99, rounds: count, ...rest } = distributionOfRounds(all, 1);
        const { low: _, high: __, ...pooled } = distributionOf(all.flat());
        expect(rest).toEqual(pooled);
        expect(count).toBe(all.length);
        expect(low).toBeLessThanOrEqual(pooled.median);
        expect(high).toBeGreaterThanOrEqual(pooled.median);
        expect(p99).toBeLessThanOrEqual(pooled.max);
      }),
      { numRuns: 40 },
    );
  });

  test("neither the order of rounds nor that within a round matters", () => {
    fc.assert(
      fc.property(rounds, (all) => {
        const turned = all.toReversed().map((round) => round.toReversed());
        expect(distributionOfRounds(turned, 5)).toEqual(distributionOfRounds(all, 5));
      }),
      { numRuns: 20 },
    );
  });

  test("where a round's values share its luck, the interval is wider than that of its values", () => {
    const random = randomFrom(3);
    const uniform = () => random.u32() / 2 ** 32;
    // Round to round 800 to 1200, within a round ±5.
    const shared = Array.from({ length: 12 }, () => {
      const luck = 800 + 400 * uniform();
      return Array.from({ length: 16 }, () => luck + 10 * (uniform() - 0.5));
    });
    const byRound = distributionOfRounds(shared, 1);
    const byValue = distributionOf(shared.flat());
    expect(byRound.high - byRound.low).toBeGreaterThan(1.5 * (byValue.high - byValue.low));
  });

  test("the interval holds the true median about 95 times in 100", () => {
    const random = randomFrom(11);
    const uniform = () => random.u32() / 2 ** 32;
    const runs = 200;
    let covered = 0;
    for (let run = 0; run < runs; run += 1) {
      const all = Array.from({ length: 20 }, () => {
        const luck = uniform();
        return Array.from({ length: 4 }, () => 1 + luck + 0.2 * (uniform() - 0.5));
      });
      const { low, high } = distributionOfRounds(all, run);
      if (low <= 1.5 && 1.5 <= high) covered += 1;
    }
    // ±5 %: three standard errors of a share of 95 % in 200 runs.
    expect(Math.abs(covered / runs - 0.95)).toBeLessThan(0.05);
  });

  test("below six rounds it is the smallest and the largest median of a round", () => {
    const { low, high, median } = distributionOfRounds([[1, 2, 3], [10], [4, 6]], 1);
    expect({ low, high }).toEqual({ low: 2, high: 10 });
    expect(median).toBe(3.5);
  });

  test("a round without values is a bug of the caller", () => {
    expect(() => distributionOfRounds([], 1)).toThrow(/^bug: /);
    expect(() => distributionOfRounds([[1], []], 1)).toThrow(/^bug: /);
  });
});
