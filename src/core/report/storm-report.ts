// The report of simulated storms: the answer, the curve, the points, the locks, the doubts.
import { type StormCurve, stormCurve } from "../analyze/storm-curve.ts";
import type { StormPoint } from "../analyze/storm-point.ts";
import { curveChart } from "./curve-chart.ts";
import type { Fact } from "./footer.ts";
import { element, group } from "./markup.ts";
import { type Prose, prose } from "./prose.ts";
import type { Report, Section } from "./report.ts";
import { caveatSection, figure, obtainedSection, reproduceSection } from "./sections.ts";
import { bootCurve, type StormView } from "./storm-chart.ts";
import { stormAnswer, stormFindings } from "./storm-sentence.ts";
import { lastPoints, lockTable, pointTable } from "./storm-table.ts";
import { tableMarkup, tableText } from "./table.ts";
import { terminalPlot } from "./terminal-plot.ts";

export interface StormReport {
  /** The scenario's. */
  readonly name: string;
  readonly title: string;
  readonly points: readonly StormPoint[];
  readonly view: StormView;
  readonly caveats: readonly string[];
  readonly obtained: readonly Fact[];
  readonly reproduce: readonly string[];
  readonly version: string;
}

/** Names no time: the same scenario and seed are the same bytes. */
export function stormReport(storm: StormReport): Report {
  const { name, title, points, view, version } = storm;
  const curve = stormCurve(points);
  const doubts: readonly Prose[] = storm.caveats.map((text) => prose`${text}`);
  return {
    title: `bootstorm: ${name}`,
    subject: `${name}: ${title}`,
    answer: stormAnswer(curve),
    findings: stormFindings(curve),
    sections: [
      ...(curve.x === undefined ? [] : [curveSection(curve, view)]),
      pointSection(points, view.unit === "percent" && curve.x !== undefined ? curve : undefined),
      stormLockSection(points, curve),
      caveatSection(doubts),
      obtainedSection(storm.obtained),
      reproduceSection(storm.reproduce),
    ],
    colophon: `Made by bootstorm ${version}. The same scenario and seed give the same bytes.`,
  };
}

function curveSection(curve: StormCurve, view: StormView): Section {
  const boots = bootCurve(curve, view);
  return {
    id: "boot-times",
    title: boots.title,
    html: figure((size) => curveChart(boots, size), "boot-times"),
    text: ({ width, ascii }) => terminalPlot(boots, { width, height: 22, ascii }),
  };
}

/** @param relative  the lines whose first points each point is also told in percent of */
function pointSection(points: readonly StormPoint[], relative: StormCurve | undefined): Section {
  const table = pointTable(points, relative);
  return {
    id: "points",
    title: "Every point",
    html: tableMarkup(table),
    text: ({ width }) => tableText(table, width),
  };
}

/** A terminal shows the locks where the curves end; a page all of them. */
function stormLockSection(points: readonly StormPoint[], curve: StormCurve): Section {
  const ends = lockTable(lastPoints(curve), "At the end of each line of the sweep");
  const all = lockTable(points, "All points");
  return {
    id: "locks",
    title: "Who waits for which lock",
    html: group(
      tableMarkup(ends),
      element("details", {}, element("summary", {}, "All points"), tableMarkup(all)),
    ),
    text: ({ width }) => tableText(ends, width),
  };
}
