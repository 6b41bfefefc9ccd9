// The run that breaks the refused patch, as text and as a picture.
import { expect, test } from "vitest";
import { checkDesign } from "../src/core/check/check.ts";
import { DESIGN_BY_NAME } from "../src/core/kernel/design/index.ts";
import { markupText } from "../src/core/report/markup.ts";
import { scheduleChart } from "../src/core/report/schedule-chart.ts";
import { scheduleText } from "../src/core/report/schedule-text.ts";
import { standaloneSvg } from "../src/core/report/svg.ts";
import { expectGolden } from "./golden.ts";

const { counterexample } = checkDesign({
  design: DESIGN_BY_NAME.get("no-cpa-lock")!,
  operations: "ro",
  cpus: 2,
  regions: 1,
  tlbRule: "note-2007",
  memoryModel: "sc",
  flush: "broadcast",
});

test("one column a CPU, at most 79 columns, in the order of time", () => {
  const text = scheduleText(counterexample!, "linux");
  expectGolden("check/refused-patch.txt", `${text}\n`);
  for (const line of text.split("\n")) expect(line.length).toBeLessThanOrEqual(79);
});

test("the picture shows every step of the run", () => {
  const svg = markupText(
    standaloneSvg(scheduleChart(counterexample!, "linux", { width: 860 }), "run"),
  );
  expectGolden("check/refused-patch.svg", `${svg}\n`);
  for (const step of counterexample!.replay.steps) expect(svg).toContain(step.what);
});
