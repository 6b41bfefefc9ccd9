import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { laneChart } from "./lane-chart.ts";
import { type Lane, type Lanes, stackedBars, thinned } from "./lanes.ts";
import { markupText } from "./markup.ts";
import { displayWidth } from "./plain-text.ts";
import { inlineSvg } from "./svg.ts";
import { terminalLanes } from "./terminal-lanes.ts";

const MS = 1e6;
const kinds = [
  { name: "vmm", colour: "amber", letter: "v" },
  { name: "kernel", colour: "blue", letter: "k" },
] as const;

function lanesOf(lanes: readonly Lane[]): Lanes {
  return { title: "t", description: "d", axisLabel: "time", kinds, lanes, notes: [] };
}

/** The lanes as they are drawn, without the legend. */
function drawn(lanes: readonly Lane[], columns: number): string[] {
  const width = 5 + columns;
  const text = terminalLanes(lanesOf(lanes), { width, ascii: true });
  return text.split("\n\n")[0]!.split("\n");
}

describe("lanes", () => {
  test("in a terminal each column shows what fills most of it", () => {
    const bars = stackedBars([20 * MS, 60 * MS]);
    const late = { kind: 1, fromNs: 40 * MS, toNs: 100 * MS };
    expect(
      drawn(
        [
          { label: "vm0", bars },
          { label: "vm1", bars: [late], failedAtNs: 100 * MS },
          { label: "vm2", bars: [] },
        ],
        10,
      ),
    ).toEqual([
      "vm0  vvkkkkkk", // one column is 10 ms
      "vm1      kkkkkX",
      "vm2",
    ]);
  });

  test("only what can be seen is in the terminal's legend", () => {
    const text = terminalLanes(lanesOf([{ label: "vm0", bars: stackedBars([1, 60 * MS]) }]), {
      width: 60,
      ascii: false,
    });
    expect(text).toContain("\nk kernel; one column is");
  });

  test("no line is wider, for lanes of any kind", () => {
    const bar = fc
      .tuple(fc.nat(1), fc.nat(1e9), fc.nat(1e9))
      .map(([kind, a, b]) => ({ kind, fromNs: Math.min(a, b), toNs: Math.max(a, b) }));
    const lane = fc.record(
      {
        label: fc.string({ unit: "binary", maxLength: 40 }),
        bars: fc.array(bar, { maxLength: 3 }),
        endNote: fc.constant("123 ms"),
        failedAtNs: fc.nat(1e9),
      },
      { requiredKeys: ["label", "bars"] },
    );
    fc.assert(
      fc.property(fc.array(lane, { maxLength: 40 }), fc.boolean(), (lanes, ascii) => {
        const text = terminalLanes(lanesOf(lanes), { width: 60, ascii });
        for (const line of text.split("\n")) expect(displayWidth(line)).toBeLessThanOrEqual(60);
      }),
    );
  });

  test("all bars are drawn inside the picture, with their lengths for a mouse", () => {
    const bars = stackedBars([20 * MS, undefined, 60 * MS].slice(0, 2));
    const { body, height } = laneChart(lanesOf([{ label: "<b>", bars, endNote: "20 ms" }]), {
      width: 300,
    });
    const svg = markupText(
      inlineSvg({ width: 300, height, title: "t", description: "d", body }, "x"),
    );
    expect(svg).toContain("<title>&lt;b&gt;: vmm 20.0 ms</title>");
    for (const [, x, width] of svg.matchAll(/<rect[^>]* x="([\d.]+)"[^>]* width="([\d.]+)"/g)) {
      expect(Number(x) + Number(width)).toBeLessThanOrEqual(300);
    }
  });

  test("of too many some are drawn, evenly, first and last among them, and it is said", () => {
    const many = Array.from({ length: 1000 }, (_, i) => ({ label: `vm-${i}`, bars: [] }));
    const { lanes, notes } = thinned(lanesOf(many), 64);
    expect(lanes).toHaveLength(64);
    expect(new Set(lanes).size).toBe(64);
    expect([lanes[0]!.label, lanes.at(-1)!.label]).toEqual(["vm-0", "vm-999"]);
    expect(notes).toEqual(["64 of 1000 are drawn, evenly chosen."]);
    const few = lanesOf(many.slice(0, 64));
    expect(thinned(few, 64)).toBe(few);
  });
});
