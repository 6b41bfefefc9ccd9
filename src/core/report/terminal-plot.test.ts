import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { around, largeHost, smallHost } from "../../../test/fixtures/investigate.ts";
import { type Curve, pressureCurve } from "./curve.ts";
import { displayWidth } from "./plain-text.ts";
import { terminalPlot } from "./terminal-plot.ts";

const curve = pressureCurve(smallHost.pressure!);

test("two points a series make a line with a label at its end", () => {
  const lines = terminalPlot(curve, { width: 60, height: 20, ascii: true }).split("\n");
  expect(lines[0]).toBe("pages per second, total (log scale)");
  for (const label of ["o free 0.58x", "x fill 0.78x", "# control 1.80x"]) {
    const line = lines.find((one) => one.endsWith(label))!;
    // The marker of the last point stands in the line of its label.
    expect(line.slice(0, -label.length)).toContain(label[0]);
  }
});

describe("any size", () => {
  test("no line is wider, and ASCII is ASCII", () => {
    const size = fc.record({
      width: fc.integer({ min: 40, max: 160 }),
      height: fc.integer({ min: 1, max: 50 }),
      ascii: fc.boolean(),
    });
    const host = fc.constantFrom(smallHost, largeHost);
    fc.assert(
      fc.property(host, size, ({ pressure }, wanted) => {
        const text = terminalPlot(pressureCurve(pressure!), wanted);
        for (const line of text.split("\n")) {
          expect(displayWidth(line)).toBeLessThanOrEqual(wanted.width);
        }
        if (wanted.ascii) expect(text).toMatch(/^[\n -~]*$/);
      }),
    );
  });
});

test("every measured number of processes is on the axis", () => {
  const text = terminalPlot(pressureCurve(largeHost.pressure!), {
    width: 80,
    height: 20,
    ascii: true,
  });
  const axis = text.split("\n").find((line) => line.includes("1 ") && line.includes("64"));
  expect(axis?.trim().split(/\s+/)).toEqual(["1", "2", "4", "8", "16", "32", "64"]);
});

test("one point draws a marker and no line", () => {
  const one: Curve = {
    ...curve,
    series: [
      { name: "free", colour: "blue", points: [{ x: 1, y: around(100, 0) }], perfect: true },
    ],
    notes: [],
  };
  expect(terminalPlot(one, { width: 40, height: 12, ascii: true })).toMatchInlineSnapshot(`
    "pages per second, total
    100 + o                           o free
        |
        |
        |
     50 +
        |
        |
      0 +
        +-+--------------------------
          1
                  processes"
  `);
});
