import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { firstCounts, kneeOf, kneesOfReplications, nextCount, type ServicePoint } from "./knee.ts";

/** The search of the commands: what is asked for is measured. */
function searched(boundBoots: number, perSecond: (boots: number) => number): ServicePoint[] {
  const point = (boots: number) => ({ boots, perSecond: [perSecond(boots)] });
  const points = firstCounts(boundBoots).map(point);
  for (let next = nextCount(points); next !== undefined; next = nextCount(points)) {
    points.push(point(next));
  }
  return points;
}

test("of a host that serves min(n/T, 1/D) the search finds the knee to the boot, in few steps", () => {
  fc.assert(
    fc.property(fc.double({ min: 1, max: 400, noNaN: true }), (bound) => {
      const rate = (boots: number) => Math.min(boots, bound);
      const points = searched(bound, rate);
      const best = Math.max(...points.map(({ boots }) => rate(boots)));
      expect(kneeOf(points)).toBe(Math.ceil(0.95 * best - 1e-9));
      expect(points.length).toBeLessThan(30);
    }),
  );
});

test("throughput that falls beyond its peak has its knee before the peak", () => {
  const points = searched(8, (boots) => boots / (1 + (boots / 6) ** 3));
  expect(kneeOf(points)).toBeLessThanOrEqual(5);
});

describe("the first numbers", () => {
  test.for([
    [2, [1, 2, 3, 4]],
    [5.2, [1, 2, 3, 4, 6, 8, 11]],
    [15.1, [1, 2, 3, 4, 6, 8, 12, 16, 24, 31]],
  ] as const)("bound %s: %j", ([bound, counts]) => {
    expect(firstCounts(bound)).toEqual(counts);
  });

  test("boots that share nothing: they end all the same", () => {
    expect(firstCounts(Number.POSITIVE_INFINITY).at(-1)).toBe(1024);
  });
});

test("each replication has its own knee", () => {
  const points = [
    { boots: 1, perSecond: [1, 1] },
    { boots: 2, perSecond: [2, 1.5] },
    { boots: 3, perSecond: [2.05, 2] },
  ];
  expect(kneesOfReplications(points)).toEqual([2, 3]);
});
