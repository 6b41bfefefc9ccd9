// The report of kernels that were measured against each other: which is fast, which is safe, and why.
import { formatNs } from "../../units.ts";
import type { Fact } from "../footer.ts";
import type { Maker } from "../investigate-report.ts";
import { element, group } from "../markup.ts";
import type { Report, Section } from "../report.ts";
import { caveatSection, figure, obtainedSection, reproduceSection } from "../sections.ts";
import { tableMarkup, tableText } from "../table.ts";
import { kernelAbCaveats } from "./caveats.ts";
import { kernelAbFindings } from "./findings.ts";
import { gainChart } from "./gain-chart/gain-chart.ts";
import { allGainTable, mainGainTables, pointTable, verdictTable } from "./gain-table.ts";
import type { KernelAbReport } from "./input.ts";
import { lockSections } from "./lock-section.ts";
import { raceSections } from "./race-section.ts";
import { scalingSections } from "./scaling-section.ts";
import { complaintSections, failureSections, mixedSections } from "./seen-sections.ts";
import { kernelAbAnswer } from "./sentence.ts";
import { LOAD_MEANING } from "./words.ts";

export function kernelAbReport(report: KernelAbReport, maker: Maker): Report {
  return {
    title: "bootstorm: kernels against each other",
    subject: subjectOf(report),
    answer: kernelAbAnswer(report),
    findings: kernelAbFindings(report),
    sections: [
      gainSection(report),
      ...scalingSections(report),
      ...lockSections(report),
      ...raceSections(report),
      ...mixedSections(report),
      ...complaintSections(report),
      pointSection(report),
      ...failureSections(report),
      caveatSection(kernelAbCaveats(report)),
      obtainedSection([...report.obtained, ...bootFacts(report), ...costFacts(report)]),
      reproduceSection(report.reproduce),
    ],
    colophon: `Made by bootstorm ${maker.version}, ${maker.at}.`,
  };
}

const HOW = { kvm: "with KVM", tcg: "emulated by QEMU" } as const;

function subjectOf({ run, result }: KernelAbReport): string {
  const boots = result.arms.reduce((sum, { bootsDone }) => sum + bootsDone, 0);
  return `${result.arms.length} kernels, ${boots} boots for times, ${HOW[run.accelerator]}`;
}

function gainSection(report: KernelAbReport): Section {
  const tables = [...mainGainTables(report), verdictTable(report)];
  const hasRows = report.result.arms.length > 1 && report.gains.rows.length > 0;
  return {
    id: "gains",
    title: "What each kernel gains, and whether it is safe",
    html: group(
      ...(hasRows ? [figure((size) => gainChart(report, size), "gains")] : []),
      loadMeanings(report),
      ...tables.map(tableMarkup),
    ),
    text: ({ width }) => tables.map((table) => tableText(table, width)).join("\n\n"),
  };
}

function loadMeanings({ result }: KernelAbReport) {
  const loads = [...new Set(result.points.map(({ load }) => load))];
  const items = loads.map((load) =>
    element("div", {}, element("dt", {}, load), element("dd", {}, LOAD_MEANING[load])),
  );
  return items.length === 0
    ? undefined
    : element("dl", { class: "facts" }, group("", ...items, ""));
}

function pointSection(report: KernelAbReport): Section {
  const tables = [pointTable(report), allGainTable(report)];
  return {
    id: "points",
    title: "Every point",
    html: element(
      "details",
      {},
      element("summary", {}, "All kernels, loads, guests and numbers of threads in numbers"),
      ...tables.map(tableMarkup),
    ),
    text: ({ width }) => tableText(pointTable(report), width),
  };
}

/** What answered. Which files they are stands in what whoever ran it wrote. */
function bootFacts({ result: { arms } }: KernelAbReport): readonly Fact[] {
  const spinlocks = [...new Set(arms.flatMap(({ spinlock }) => spinlock ?? []))];
  return [
    {
      label: "boots for times",
      text: arms
        .map(({ name, release, boots, bootsDone }) => {
          const own = release === undefined ? "" : ` (${release})`;
          return `${name}${own} ${bootsDone} of ${boots}`;
        })
        .join(", "),
    },
    ...(spinlocks.length === 0 ? [] : [{ label: "spinlocks", text: spinlocks.join(", ") }]),
  ];
}

function costFacts({ prediction }: KernelAbReport): readonly Fact[] {
  if ("why" in prediction) return [];
  const costs = prediction.costs.map(
    ({ name, ns, low, high }) => `${name} ${formatNs(ns)} (${formatNs(low)} to ${formatNs(high)})`,
  );
  return [{ label: "fitted costs", text: costs.join("; ") }];
}
