import fc from "fast-check";
import { expect, test } from "vitest";
import { FIRST_SHARES, largestShare, nextShare, type RatePoint } from "./rate.ts";

function searched(p99Ns: (share: number) => number, targetNs: number): RatePoint[] {
  const point = (share: number) => ({
    share,
    p99Ns: p99Ns(share),
    p99NsOfReplication: [p99Ns(share)],
  });
  const points = FIRST_SHARES.map(point);
  for (let next = nextShare(points, targetNs); next !== undefined; ) {
    points.push(point(next));
    next = nextShare(points, targetNs);
  }
  return points;
}

test("M/M/1: p99 is ln 100/(µ − λ); the search finds the load that theory says, to 2 %", () => {
  fc.assert(
    fc.property(fc.double({ min: 4.7, max: 200, noNaN: true }), (target) => {
      const p99 = (load: number) => Math.log(100) / (1 - load);
      const found = largestShare(searched(p99, target), target);
      expect(Math.abs(found - (1 - Math.log(100) / target))).toBeLessThan(0.02);
    }),
  );
});

test("no rate keeps a target that a boot alone exceeds", () => {
  expect(
    largestShare(
      searched(() => 10, 9),
      9,
    ),
  ).toBeLessThan(0.02);
});

test("a target that nothing exceeds is kept up to the capacity, never at it: there the queue grows", () => {
  const found = largestShare(
    searched(() => 1, 9),
    9,
  );
  expect(found).toBeGreaterThan(0.97);
  expect(found).toBeLessThan(1);
});

test("noise beyond the first excess does not hide it", () => {
  const points = [
    { share: 0.1, p99Ns: 1, p99NsOfReplication: [1] },
    { share: 0.3, p99Ns: 11, p99NsOfReplication: [11] },
    { share: 0.5, p99Ns: 9, p99NsOfReplication: [9] },
  ];
  expect(largestShare(points, 10)).toBeCloseTo(0.28, 10);
});
