import { describe, expect, test } from "vitest";
import { largeHost, smallHost } from "../../../test/fixtures/investigate.ts";
import type { PressureResult } from "../analyze/result.ts";
import { curveScale, perfectLine, pressureCurve, yAxisLabel } from "./curve.ts";
import { curveChart } from "./curve-chart.ts";
import { group, markupText } from "./markup.ts";

const size = { width: 860, height: 440 };
const drawn = (pressure: PressureResult) =>
  markupText(group(...curveChart(pressureCurve(pressure), size).body));

test.each([
  ["two CPUs", smallHost],
  ["64 CPUs", largeHost],
])("%s: nothing is drawn outside the picture", (_, { pressure }) => {
  const svg = drawn(pressure!);
  const points = [...svg.matchAll(/points="([^"]*)"/g)].flatMap(([, list]) => list!.split(" "));
  expect(points.length).toBeGreaterThan(0);
  for (const point of points) {
    const [x, y] = point.split(",").map(Number);
    expect(x).toBeGreaterThan(0);
    expect(x).toBeLessThan(size.width);
    expect(y).toBeGreaterThan(0);
    expect(y).toBeLessThan(size.height);
  }
});

describe("what the reader is told", () => {
  test("a logarithmic axis says so, a linear one does not", () => {
    const curve = pressureCurve(smallHost.pressure!);
    expect(yAxisLabel(curve, curveScale(curve, 6))).toBe("pages per second, total (log scale)");
    const control = { ...curve, series: curve.series.filter((one) => one.name === "control") };
    expect(yAxisLabel(control, curveScale(control, 6))).toBe("pages per second, total");
  });

  test("bars of fewer than six rounds are called what they are", () => {
    const few = structuredClone(smallHost.pressure!);
    for (const { points } of few.phases) {
      for (const point of points) Object.assign(point.pagesPerSecond, { n: 3 });
    }
    expect(pressureCurve(few).notes[0]).toBe(
      "Bars: smallest to largest of 3 rounds, too few for a 95 % interval.",
    );
  });

  test("the description has every number of the picture", () => {
    expect(pressureCurve(smallHost.pressure!).description).toBe(
      "free: 760 k with 1 process, 440 k with 2 processes. fill: 51.0 k with 1 process, 40.0 k with 2 processes. control: 139 k with 1 process, 250 k with 2 processes.",
    );
  });
});

test("perfect scaling from one process reaches N times one, or the top of the axis", () => {
  const [free, , control] = pressureCurve(smallHost.pressure!).series;
  expect(perfectLine(control!, 2, 1e6).at(-1)).toEqual({ x: 2, y: 278_000 });
  const end = perfectLine(free!, 2, 1e6).at(-1)!;
  expect(end.y).toBeCloseTo(1e6);
  expect(end.x).toBeLessThan(2);
});
