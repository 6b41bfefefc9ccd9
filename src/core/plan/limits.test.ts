import { describe, expect, test } from "vitest";
import { policyProblems } from "../policy/registry.ts";
import { bootLimit, leaseMs } from "./limits.ts";

describe("the limit on boots", () => {
  test("a knee that is known is a constant", () => {
    const limit = bootLimit({ value: 10, low: 9, high: 11 });
    expect(limit).toEqual({ name: "boot-cap", options: { boots: 10 } });
  });

  test.for([
    { value: 5, low: 5, high: 10 },
    { value: 1, low: 1, high: 3 },
  ])(
    "a knee that may be %j is looked for within its range, by a policy that takes these options",
    (knee) => {
      const limit = bootLimit(knee);
      const { bootsStart, bootsMin, bootsMax } = limit.options;
      expect([bootsMin, bootsStart, bootsMax]).toEqual([knee.low, knee.value, knee.high]);
      expect(policyProblems([limit])).toEqual([]);
    },
  );
});

test("a lease is three boots long, at least what the governor gives, at most what it takes", () => {
  expect([1e9, 20e9, 20.4e9, 1e15].map(leaseMs)).toEqual([30_000, 60_000, 62_000, 86_400_000]);
});
