import fc from "fast-check";
import { expect, test } from "vitest";
import { spreadLabels } from "./label-layout.ts";

const wanted = fc.array(fc.double({ min: 0, max: 300, noNaN: true }), {
  minLength: 1,
  maxLength: 8,
});

test("labels keep their order and their distance, and stay between the ends", () => {
  fc.assert(
    fc.property(wanted, fc.double({ min: 1, max: 40, noNaN: true }), (places, gap) => {
      const spread = spreadLabels(places, gap, 0, 300);
      const order = places.map((_, index) => index).sort((a, b) => places[a]! - places[b]!);
      for (const [rank, index] of order.entries()) {
        expect(spread[index]).toBeGreaterThanOrEqual(-1e-9);
        expect(spread[index]).toBeLessThanOrEqual(300 + 1e-9);
        if (rank === 0) continue;
        expect(spread[index]! - spread[order[rank - 1]!]!).toBeGreaterThanOrEqual(gap - 1e-9);
      }
    }),
  );
});

test("labels with room enough are not moved", () => {
  expect(spreadLabels([10, 100, 50], 17, 0, 200)).toEqual([10, 100, 50]);
});

test("two labels at one place part evenly", () => {
  expect(spreadLabels([100, 100], 20, 0, 200)).toEqual([90, 110]);
});
