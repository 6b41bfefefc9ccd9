import fc from "fast-check";
import { expect, test } from "vitest";
import { mixtureOf } from "./mixture.ts";

test("two equal groups alternate; of 3 to 1 every fourth is of the second", () => {
  expect(mixtureOf([10, 10], 4)).toEqual([0, 1, 0, 1]);
  expect(mixtureOf([3, 1], 8).filter((group) => group === 1).length).toBe(2);
  expect(mixtureOf([5], 3)).toEqual([0, 0, 0]);
});

test("after a whole turn each group has exactly its count, and never lacks a whole VM before", () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 1, max: 20 }), { minLength: 1, maxLength: 6 }),
      (counts) => {
        const all = counts.reduce((a, b) => a + b);
        const turns = mixtureOf(counts, all);
        counts.forEach((count, group) => {
          const taken = (vms: number) =>
            turns.slice(0, vms).filter((each) => each === group).length;
          expect(taken(all)).toBe(count);
          for (let vms = 1; vms <= all; vms += 1) {
            expect(taken(vms)).toBeLessThan((count * vms) / all + 1 + 1e-9);
          }
        });
      },
    ),
  );
});
