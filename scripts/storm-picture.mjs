// Draws the picture of docs/storm.md from a run's JSON:
//   bootstorm storm --compare-limits none,2 --json=run.json && node scripts/storm-picture.mjs run.json
import { readFileSync, writeFileSync } from "node:fs";
import { bootsCurve } from "../dist/core/report/boots-chart.js";
import { curveChart } from "../dist/core/report/curve-chart.js";
import { markupText } from "../dist/core/report/markup.js";
import { standaloneSvg } from "../dist/core/report/svg.js";

const { result } = JSON.parse(readFileSync(process.argv[2], "utf8"));
const drawing = curveChart(bootsCurve(result), { width: 860, height: 400 });
writeFileSync(
  new URL("../docs/storm.svg", import.meta.url),
  `${markupText(standaloneSvg(drawing, "curve"))}\n`,
);
