import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { randomFrom } from "../random.ts";
import { leastPairs, signedRank } from "./signed-rank.ts";

/** The p of the definition: how many of all 2^n choices of signs are as far from the middle. */
function bruteP(ratios: readonly number[]): number {
  const logs = ratios.map(Math.log).filter((log) => log !== 0);
  const sizes = logs.map(Math.abs);
  const ranks = sizes.map((size) => {
    const places = [...sizes]
      .sort((a, b) => a - b)
      .flatMap((each, place) => (each === size ? [place + 1] : []));
    return places.reduce((sum, place) => sum + place, 0) / places.length;
  });
  const middle = ranks.reduce((sum, rank) => sum + rank, 0) / 2;
  const distance = (isPositive: (i: number) => boolean) =>
    Math.abs(ranks.reduce((sum, rank, i) => sum + (isPositive(i) ? rank : 0), 0) - middle);
  const seen = distance((i) => logs[i]! > 0);
  const signs = Array.from({ length: 2 ** logs.length }, (_, bits) => bits);
  const asFar = signs.filter((bits) => distance((i) => ((bits >> i) & 1) === 1) >= seen);
  return asFar.length / signs.length;
}

/** 2^±1 … 2^±n, so that the ranks of the negative ones add up to `sum`. */
function withNegativeSum(n: number, sum: number): number[] {
  let left = sum;
  return Array.from({ length: n }, (_, i) => n - i).map((rank) => {
    if (rank > left) return 2 ** rank;
    left -= rank;
    return 2 ** -rank;
  });
}

const exponents = fc.array(fc.integer({ min: -4, max: 4 }), { minLength: 1, maxLength: 10 });
const powers = exponents.map((list) => list.map((each) => 2 ** each));

describe("p", () => {
  test("is that of all signs one by one, with ties and with ratios of 1", () => {
    fc.assert(
      fc.property(powers, (ratios) => {
        expect(signedRank(ratios).p).toBeCloseTo(bruteP(ratios), 12);
      }),
    );
  });

  // Two-sided 5 %. Source: Wilcoxon and Wilcox, "Some rapid approximate statistical procedures", 1964.
  test.each([
    [6, 0],
    [7, 2],
    [8, 3],
    [9, 5],
    [10, 8],
    [11, 10],
    [12, 13],
    [15, 25],
    [20, 52],
    [25, 89],
  ])("of %i pairs is at most 5 %% up to a sum of ranks of %i, as tables have it", (n, critical) => {
    expect(signedRank(withNegativeSum(n, critical)).p).toBeLessThanOrEqual(0.05);
    expect(signedRank(withNegativeSum(n, critical + 1)).p).toBeGreaterThan(0.05);
  });

  test("pairs that do not differ do not differ", () => {
    expect(signedRank([1, 1, 1, 1, 1, 1, 1])).toEqual({ value: 1, low: 1, high: 1, p: 1 });
  });
});

describe("estimate and interval", () => {
  test("the definition: the median of the averages of any two", () => {
    // Averages of the exponents 0, 2, 10: 0, 1, 2, 5, 6, 10.
    expect(signedRank([1, 4, 1024]).value).toBeCloseTo(2 ** 3.5, 10);
    // Of 0, 2: 0, 1, 2.
    expect(signedRank([1, 4]).value).toBeCloseTo(2, 12);
  });

  test("to swap the sides inverts it", () => {
    fc.assert(
      fc.property(powers, (ratios) => {
        const there = signedRank(ratios);
        const back = signedRank(ratios.map((ratio) => 1 / ratio));
        expect(back.p).toBe(there.p);
        expect(back.value * there.value).toBeCloseTo(1, 12);
        if (there.low !== undefined) {
          expect(back.high! * there.low).toBeCloseTo(1, 12);
          expect(back.low! * there.high!).toBeCloseTo(1, 12);
        }
      }),
    );
  });

  test("no interval below 6 pairs; with 6 from the lowest to the highest", () => {
    expect(signedRank([2, 4, 8, 16, 32])).not.toHaveProperty("low");
    const { low, high } = signedRank([2, 4, 8, 16, 32, 64]);
    expect(low).toBeCloseTo(2, 12);
    expect(high).toBeCloseTo(64, 12);
  });

  test("what the test refuses at 5 % the interval leaves out, and only that", () => {
    const random = randomFrom(7);
    for (let i = 0; i < 300; i += 1) {
      const ratios = Array.from({ length: 6 + (i % 15) }, () => Math.exp(0.5 + noise(random)));
      const { low, high, p } = signedRank(ratios);
      expect(low! > 1 || high! < 1).toBe(p <= 0.05);
    }
  });

  test("the interval has the true ratio as often as the exact distribution says: 96.1 % with 9 pairs", () => {
    const random = randomFrom(20260102);
    const samples = 2000;
    let covered = 0;
    for (let i = 0; i < samples; i += 1) {
      const { low, high } = signedRank(
        Array.from({ length: 9 }, () => 3 * Math.exp(noise(random))),
      );
      if (low! <= 3 && high! >= 3) covered += 1;
    }
    // P(T ≤ 5) = 10/512 a side: 96.1 %. A standard error is 0.43 %.
    expect(covered / samples).toBeGreaterThan(0.961 - 0.013);
    expect(covered / samples).toBeLessThan(0.961 + 0.013);
  });
});

test("so many pairs, and no fewer, can have a p as small as that", () => {
  for (const p of [1, 0.5, 0.06, 0.05, 0.05 / 4, 0.05 / 15, 1e-6]) {
    const pairs = leastPairs(p);
    const smallest = (n: number) => signedRank(Array.from({ length: n }, (_, i) => i + 2)).p;
    expect(smallest(pairs)).toBeLessThanOrEqual(p);
    if (pairs > 1) expect(smallest(pairs - 1)).toBeGreaterThan(p);
  }
});

test.each([[[]], [[1, 0]], [[-1]], [[Number.POSITIVE_INFINITY]], [[Number.NaN]]])(
  "%j is a bug of who calls",
  (ratios) => {
    expect(() => signedRank(ratios)).toThrow(/^bug: /);
  },
);

/** Symmetric about 0: the sum of three uniform values. */
function noise(random: ReturnType<typeof randomFrom>): number {
  return (random.u32() + random.u32() + random.u32()) / 2 ** 32 - 1.5;
}
