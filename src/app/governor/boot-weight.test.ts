import fc from "fast-check";
import { expect, test } from "vitest";
import { fairWeight } from "./boot-weight.ts";

test("boots in service have the share that all would have, beside any number of neighbours", () => {
  const counts = fc.record({
    inForce: fc.integer({ min: 1, max: 500 }),
    waiting: fc.nat(500),
    neighbours: fc.nat(500),
  });
  fc.assert(
    fc.property(counts, ({ inForce, waiting, neighbours }) => {
      const weight = fairWeight({ inForce, waiting });
      fc.pre(weight < 100); // No group can have more.
      const all = inForce + waiting;
      const share = (inForce * weight) / (inForce * weight + neighbours);
      expect(share).toBeCloseTo(all / (all + neighbours), 12);
    }),
  );
});

test("as everybody while nobody waits or nobody is in service; never more than a group can have", () => {
  expect(fairWeight({ inForce: 3, waiting: 0 })).toBe(1);
  expect(fairWeight({ inForce: 0, waiting: 9 })).toBe(1);
  expect(fairWeight({ inForce: 1, waiting: 10_000 })).toBe(100);
});
