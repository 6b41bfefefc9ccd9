// Reports of what was simulated: the curve in percent, designs and policies in one picture, the
// talk's story.
import { describe, expect, test } from "vitest";
import { stormCurve } from "../src/core/analyze/storm-curve.ts";
import { curveChart } from "../src/core/report/curve-chart.ts";
import { exploreCurve } from "../src/core/report/explore-chart.ts";
import { markupText } from "../src/core/report/markup.ts";
import { proseText } from "../src/core/report/prose.ts";
import { bootCurve } from "../src/core/report/storm-chart.ts";
import { stormReport } from "../src/core/report/storm-report.ts";
import { standaloneSvg } from "../src/core/report/svg.ts";
import { talkParts } from "../src/core/report/talk-story.ts";
import { terminalReport } from "../src/core/report/terminal-report.ts";
import {
  COUNT,
  DESIGN,
  exploreRows,
  field,
  ladderPoints,
  stormPointOf,
  talk,
} from "./fixtures/storm-points.ts";
import { expectGolden } from "./golden.ts";

const curve = stormCurve(ladderPoints);
const seconds = { unit: "s", scale: "auto" } as const;
const percent = { unit: "percent", scale: "auto" } as const;

describe("boot times in percent", () => {
  test("are of the first point of each line, and its error bars with it", () => {
    const { series, yLabel } = bootCurve(curve, percent);
    expect(yLabel).toBe("median boot time, % of that with 1 VM");
    for (const { points } of series) expect(points[0]!.y.median).toBe(100);
    const [now] = series;
    expect(now!.points.map(({ y }) => Math.round(y.high))).toEqual([100, 222, 1489, 5878]);
    expect(now!.points.every(({ y }) => y.n === 10)).toBe(true);
  });

  test("say in words what they are of where the x axis counts no VMs", () => {
    const threads = [0, 128].map((n) =>
      stormPointOf([field("background.rmpupdateThreads", n)], 9 + n),
    );
    expect(bootCurve(stormCurve(threads), percent).yLabel).toBe(
      "median boot time, % of that with background.rmpupdateThreads 0",
    );
  });

  test("have a column of their own beside the seconds", () => {
    const report = (view: typeof percent | typeof seconds) =>
      terminalReport(
        stormReport({
          name: "talk-relative",
          title: "t",
          points: ladderPoints,
          view,
          caveats: ["a model"],
          obtained: [],
          reproduce: ["bootstorm simulate talk-relative"],
          version: "0.1.0",
        }),
        { width: 100, ascii: false },
      );
    expect(report(percent)).toMatch(/linux-4\.20 +256 +529\.0 +5,877\.8 /);
    expect(report(seconds)).not.toContain("of 1 VM, %");
    expectGolden("report/storm-relative.txt", report(percent));
  });
});

test("a logarithmic axis that is asked for is there though boot times spread little", () => {
  const close = ladderPoints.filter(({ fields }) => fields[0]!.label === "per-pmd-lock");
  const drawn = (scale: "auto" | "log") =>
    markupText(
      standaloneSvg(
        curveChart(bootCurve(stormCurve(close), { unit: "s", scale }), { width: 800, height: 400 }),
        "x",
      ),
    );
  expect(drawn("auto")).not.toContain("(log scale)");
  expect(drawn("log")).toContain("(log scale)");
});

describe("designs × policies in one picture", () => {
  const drawn = exploreCurve(exploreRows, 1);

  test("what is alike is one line with a known name; safe and unsafe are never one", () => {
    expect(drawn.series.map(({ name, dashed }) => [name, dashed])).toEqual([
      ["linux-4.20 +1", false],
      ["unsafe: no-cpa-lock", true],
      ["per-pmd-lock +1", false],
      ["linux-4.20, boot-cap", false],
      ["per-pmd-lock, boot-cap", false],
    ]);
  });

  test("one policy, one colour; every design is in the words", () => {
    const [first, unsafe, , capped] = drawn.series;
    expect(unsafe!.colour).toBe(first!.colour);
    expect(capped!.colour).not.toBe(first!.colour);
    for (const design of ["linux-6.15", "skip-for-present"]) {
      expect(drawn.description).toContain(design);
    }
  });

  test("names that are too long for a narrow chart stand below it", () => {
    const svg = (width: number) =>
      markupText(standaloneSvg(curveChart(drawn, { width, height: 340 }), "x"));
    expectGolden("report/explore-narrow.svg", svg(340));
    // The dashes of the unsafe line, and of its name where that stands below.
    expect(svg(860).match(/stroke-dasharray="7 5"/g)).toHaveLength(1);
    expect(svg(340).match(/stroke-dasharray="7 5"/g)).toHaveLength(2);
  });
});

describe("the talk's story", () => {
  const parts = talkParts(talk);

  test("one sentence: how long, what the removal brings, why not, and what else", () => {
    expect(parts.findings.map(proseText)).toEqual([
      "On a modelled SNP host of 2022 (a model with published and assumed costs, no measurement; scenario fixes-ladder, seed 1) booting 256 VMs takes 529 s with linux-4.20, 98 % of it waiting for cpa_lock; removing cpa_lock makes it 17.5 s, 47 % of it waiting for pgd_lock, but check finds it unsafe for ro, in 10 steps; per-pmd-lock is safe and takes 9.60 s, waiting for no lock.",
    ]);
  });

  test("a removal that is safe is called safe, and nothing is recommended that is no faster", () => {
    const designs = ["linux-4.20", "no-cpa-lock"];
    const safe = talk.verdicts.filter(({ verdict }) => verdict.operations === "set_direct_map");
    const slow = talk.points
      .filter(({ fields }) => designs.includes(fields[0]!.label))
      .map((point) => ({ ...point, bootMs: ladderPoints[0]!.bootMs }));
    const [sentence] = talkParts({ ...talk, points: slow, verdicts: safe }).findings;
    expect(proseText(sentence!)).toContain("and check finds it safe.");
  });

  test("the section: what it is, the curves, the verdicts", () => {
    const [section] = parts.sections;
    const text = section!.text!({ width: 80, ascii: false });
    expectGolden("report/talk-story.txt", `${text}\n`);
    expect(text).toContain("Nothing here was measured on this machine.");
    for (const line of text.split("\n")) expect([...line].length).toBeLessThanOrEqual(80);
  });
});

test("the axis of a sweep names its designs by their values", () => {
  expect(curve.series.map((one) => one.fields)).toEqual(
    ["linux-4.20", "no-cpa-lock", "per-pmd-lock"].map((name) => [field(DESIGN, name)]),
  );
  expect(curve.x).toBe(COUNT);
});
