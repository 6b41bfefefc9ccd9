// Draws the picture of the README from a run's JSON:
//   bootstorm investigate --yes --json=run.json && node scripts/readme-picture.mjs run.json
import { readFileSync, writeFileSync } from "node:fs";
import { pressureCurve } from "../dist/core/report/curve.js";
import { curveChart } from "../dist/core/report/curve-chart.js";
import { markupText } from "../dist/core/report/markup.js";
import { standaloneSvg } from "../dist/core/report/svg.js";

const { result } = JSON.parse(readFileSync(process.argv[2], "utf8"));
const drawing = curveChart(pressureCurve(result.pressure), { width: 860, height: 400 });
writeFileSync(
  new URL("../docs/scaling.svg", import.meta.url),
  `${markupText(standaloneSvg(drawing, "curve"))}\n`,
);
