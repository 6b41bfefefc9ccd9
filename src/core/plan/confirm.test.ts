import { expect, test } from "vitest";
import { gainOf, neighboursOf } from "./confirm.ts";

test("neighbours that have all they want are as many as CPUs they use", () => {
  expect(neighboursOf(0.1, 2)).toBe(0);
  expect(neighboursOf(1, 2)).toBe(1);
  expect(neighboursOf(2.9, 8)).toBe(3);
});

test("where CPUs are short, b neighbours beside one boot have C·b/(b + 1) of them", () => {
  for (const cpus of [2, 4, 16]) {
    for (let neighbours = cpus; neighbours < 3 * cpus; neighbours += 1) {
      const had = (cpus * neighbours) / (neighbours + 1);
      expect(neighboursOf(had, cpus)).toBe(neighbours);
    }
  }
});

test("a boot that had no CPU at all has very many neighbours, a whole number of them", () => {
  expect(Number.isInteger(neighboursOf(2, 2))).toBe(true);
});

test("a gain is the share that is taken off; a mean that grows is a negative one", () => {
  expect([gainOf(10, 6), gainOf(10, 10), gainOf(10, 12)]).toEqual([0.4, 0, 1 - 1.2]);
});
