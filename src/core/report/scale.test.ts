import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { countScale, niceLinear, niceLog, type Scale, scaleFor, tickLabel } from "./scale.ts";

const tickCount = fc.integer({ min: 2, max: 12 });
const positive = fc.double({ min: 1e-6, max: 1e12, noNaN: true });
// Millionths, for no measurement needs a scale for 5e-324.
const any = fc.integer({ min: -1e12, max: 1e12 }).map((millionths) => millionths / 1e6);
const ends = (value: fc.Arbitrary<number>) =>
  fc.tuple(value, value).map(([a, b]) => [Math.min(a, b), Math.max(a, b)] as const);

function expectSound(scale: Scale, low: number, high: number): void {
  expect(scale.low).toBeLessThanOrEqual(low);
  expect(scale.high).toBeGreaterThanOrEqual(high);
  expect(scale.low).toBeLessThan(scale.high);
  expect(scale.ticks.length).toBeGreaterThanOrEqual(2);
  for (const [index, tick] of scale.ticks.entries()) {
    expect(tick).toBeGreaterThanOrEqual(scale.low);
    expect(tick).toBeLessThanOrEqual(scale.high);
    if (index > 0) expect(tick).toBeGreaterThan(scale.ticks[index - 1]!);
  }
  expect(scale.at(scale.low)).toBeCloseTo(0, 12);
  expect(scale.at(scale.high)).toBeCloseTo(1, 12);
}

describe("any scale", () => {
  test("a linear one holds its data, and its ticks ascend inside it", () => {
    fc.assert(
      fc.property(ends(any), tickCount, ([low, high], count) => {
        // Closer than doubles can tell apart at this size is one point, not a range.
        fc.pre(low === high || high - low > 1e-9 * Math.max(1, Math.abs(low), Math.abs(high)));
        const scale = niceLinear(low, high, count);
        expectSound(scale, low, high);
        expect(scale.ticks.length).toBeLessThanOrEqual(count + 2);
      }),
    );
  });

  test("a logarithmic one holds its data, and its ticks ascend inside it", () => {
    fc.assert(
      fc.property(ends(positive), tickCount, ([low, high], count) => {
        const scale = niceLog(low, high, count);
        expectSound(scale, low, high);
        expect(scale.ticks.length).toBeLessThanOrEqual(Math.max(2, count));
      }),
    );
  });

  test("more data is further along", () => {
    fc.assert(
      fc.property(ends(positive), positive, positive, tickCount, ([low, high], a, b, count) => {
        fc.pre(b > a * (1 + 1e-9));
        expect(scaleFor(low, high, count).at(b)).toBeGreaterThan(scaleFor(low, high, count).at(a));
      }),
    );
  });
});

test("a range from zero is never logarithmic, a wide one without zero always", () => {
  expect(scaleFor(0, 1e6, 5).kind).toBe("linear");
  expect(scaleFor(40_000, 760_000, 5).kind).toBe("log");
  expect(scaleFor(100_000, 250_000, 5)).toMatchObject({ kind: "linear", low: 0 });
});

const ticks: readonly (readonly [string, Scale, readonly number[]])[] = [
  ["fifths", niceLinear(0, 1, 5), [0, 0.2, 0.4, 0.6, 0.8, 1]],
  ["tens", niceLinear(3, 47, 5), [0, 10, 20, 30, 40, 50]],
  ["one decade in 1, 2, 5", niceLog(38_000, 790_000, 7), [2e4, 5e4, 1e5, 2e5, 5e5, 1e6]],
  ["decades where 1, 2, 5 would crowd", niceLog(8_000, 7e6, 6), [1e4, 1e5, 1e6, 1e7]],
  ["every second decade where all would crowd", niceLog(1, 1e9, 5), [1, 100, 1e4, 1e6, 1e8]],
  ["the ends where no decade lies inside", niceLog(200, 300, 2), [200, 500]],
];
test.each(ticks)("ticks: %s", (_, scale, expected) => {
  expect(scale.ticks).toEqual(expected);
});

describe("an axis of counts", () => {
  const places = (counts: readonly number[]) => counts.map(countScale(counts).at);

  test("that double: equal steps, exactly from the first to the last", () => {
    expect(places([1, 2, 4, 8])).toEqual([0, 1 / 3, 2 / 3, 1].map((at) => expect.closeTo(at)));
  });

  test("with a zero: it stands one doubling before the rest", () => {
    expect(places([0, 1, 2, 4, 8])).toEqual(
      [0, 0.25, 0.5, 0.75, 1].map((at) => expect.closeTo(at)),
    );
  });

  test("close together: in proportion, with a zero or without", () => {
    expect(places([0, 1, 4])).toEqual([0, 0.25, 1]);
    expect(places([2, 3, 4])).toEqual([0, 0.5, 1]);
    expect(places([3])).toEqual([0]);
  });
});

const labels: readonly (readonly [number, string])[] = [
  [0, "0"],
  [0.5, "0.5"],
  [0.1 + 0.2, "0.3"],
  [20, "20"],
  [1500, "1.5 k"],
  [500_000, "500 k"],
  [1e6, "1 M"],
  [2e9, "2 G"],
];
test.each(labels)("the tick %d is labelled %s", (value, label) => {
  expect(tickLabel(value)).toBe(label);
});
