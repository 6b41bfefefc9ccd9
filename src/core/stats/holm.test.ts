import fc from "fast-check";
import { expect, test } from "vitest";
import { randomFrom } from "../random.ts";
import { holm } from "./holm.ts";

const chances = fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 8 });

test("the procedure as it is defined: from the smallest on, until one is not below level / left", () => {
  fc.assert(
    fc.property(chances, fc.double({ min: 0.001, max: 0.999, noNaN: true }), (ps, level) => {
      const left = ps.map((p, index) => ({ p, index })).sort((a, b) => a.p - b.p);
      const refused = new Set<number>();
      while (left.length > 0 && left[0]!.p * left.length < level) refused.add(left.shift()!.index);
      expect(holm(ps).map((p) => p < level)).toEqual(ps.map((_, index) => refused.has(index)));
    }),
  );
});

test("the example of four: 0.01, 0.04, 0.03, 0.005", () => {
  expect(holm([0.01, 0.04, 0.03, 0.005])).toEqual([0.03, 0.06, 0.06, 0.02]);
});

test("never below what it was, nor above 1", () => {
  fc.assert(
    fc.property(chances, (ps) => {
      holm(ps).forEach((adjusted, i) => {
        expect(adjusted).toBeGreaterThanOrEqual(ps[i]!);
        expect(adjusted).toBeLessThanOrEqual(1);
      });
    }),
  );
});

test("of families of ten true hypotheses, at most 5 % have one that is refused", () => {
  const random = randomFrom(20260101);
  const families = 4000;
  let wrong = 0;
  for (let i = 0; i < families; i += 1) {
    const ps = Array.from({ length: 10 }, () => random.u32() / 2 ** 32);
    if (holm(ps).some((p) => p < 0.05)) wrong += 1;
  }
  // 1 − (1 − 0.005)^10 = 4.89 %, and three standard errors.
  expect(wrong / families).toBeLessThan(0.0489 + 3 * Math.sqrt(0.0489 / families));
  expect(wrong / families).toBeGreaterThan(0.0489 - 3 * Math.sqrt(0.0489 / families));
});
