import type { Finding, InvestigateResult } from "../analyze/investigate.ts";
import type { PressureResult, WaitTimeline } from "../analyze/result.ts";
import { caveatsOf } from "./caveats.ts";
import { type Curve, PHASE_MEANING, PHASES, pressureCurve } from "./curve.ts";
import { curveChart } from "./curve-chart.ts";
import { footerMarkup, footerText, obtainedFacts } from "./footer.ts";
import { hostTable } from "./host-table.ts";
import { lockTable, phaseShareTable } from "./lock-table.ts";
import { element, group, type Markup } from "./markup.ts";
import { visible, wrap } from "./plain-text.ts";
import { pressureTable } from "./pressure-table.ts";
import { type Prose, prose, proseMarkup, proseText } from "./prose.ts";
import type { Report, Section } from "./report.ts";
import { answerSentence, findingSentence, kernelInShort } from "./sentence.ts";
import { type Drawing, inlineSvg } from "./svg.ts";
import { type Table, tableMarkup, tableText } from "./table.ts";
import { terminalPlot } from "./terminal-plot.ts";
import { timelineChart } from "./timeline-chart.ts";

/** What made the report, given by the app: core knows neither its version nor the time. */
export interface Maker {
  readonly version: string;
  /** As it is to be printed, such as `2025-11-22 11:20 UTC`. */
  readonly at: string;
}

/** The report of `investigate`: the reader's order is the order of its sections. */
export function investigateReport(result: InvestigateResult, maker: Maker): Report {
  const { pressure, timeline, kernel } = result;
  return {
    title: `bootstorm: ${kernelInShort(kernel)}`,
    subject: `${kernelInShort(kernel)}, ${kernel.cpuModel}`,
    answer: answerSentence(result),
    findings: result.findings.filter(hasNumbers).map(findingSentence),
    sections: [
      ...(hasPoints(pressure) ? [curveSection(pressure), lockSection(pressure)] : []),
      ...(timeline === undefined ? [] : [timelineSection(timeline)]),
      hostSection(result),
      caveatSection(caveatsOf(result)),
      ...(pressure === undefined ? [] : [obtainedSection(pressure)]),
      reproduceSection(result.reproduce),
    ],
    colophon: `Made by bootstorm ${maker.version}, ${maker.at}.`,
  };
}

// Two drawings of each chart: text keeps its size on a phone, where one shrunk to fit would not.
const WIDE = { width: 860, height: 440 };
const NARROW = { width: 340, height: 340 };

function hasPoints(pressure: PressureResult | undefined): pressure is PressureResult {
  return pressure?.phases.some((phase) => phase.points.length > 0) ?? false;
}

/** The others are told in full by the answer. */
function hasNumbers({ kind }: Finding): boolean {
  return kind !== "no-pressure" && kind !== "no-comparison";
}

function curveSection(pressure: PressureResult): Section {
  const curve = pressureCurve(pressure);
  const numbers = pressureTable(pressure);
  return {
    id: "scaling",
    title: "How it scales",
    html: group(
      figure((size) => curveChart(curve, size), "curve"),
      phaseMeanings(curve),
      element("details", {}, element("summary", {}, "The curve in numbers"), tableMarkup(numbers)),
    ),
    text: ({ width, ascii }) =>
      [
        terminalPlot(curve, { width, height: 22, ascii }),
        "",
        ...phasesOf(curve).map((phase) =>
          wrap(`${phase.padEnd(9)}${PHASE_MEANING[phase]}`, width, " ".repeat(9)),
        ),
      ].join("\n"),
  };
}

function lockSection({ contention, lockShares }: PressureResult): Section {
  const tables: readonly Table[] = [
    ...(lockShares === undefined ? [] : [phaseShareTable(lockShares)]),
    ...(contention === undefined ? [] : [lockTable(contention)]),
  ];
  const none = "Lock waits were not recorded; what is in the way stands below.";
  return {
    id: "locks",
    title: "Who waits for which lock",
    html:
      tables.length === 0
        ? element("p", {}, none)
        : group(...tables.map((one) => tableMarkup(one))),
    text: ({ width }) =>
      tables.length === 0
        ? wrap(none, width)
        : tables.map((one) => tableText(one, width)).join("\n\n"),
  };
}

function timelineSection(timeline: WaitTimeline): Section {
  return {
    id: "timeline",
    title: "A moment of it: who waited when",
    html: figure((size) => timelineChart(timeline, size), "timeline"),
  };
}

function hostSection({ host }: InvestigateResult): Section {
  const table = hostTable(host);
  return { id: "host", title: "What this host can do", html: tableMarkup(table) };
}

function caveatSection(caveats: readonly Prose[]): Section {
  const items = caveats.length === 0 ? [prose`Nothing known.`] : caveats;
  return {
    id: "caveats",
    title: "What to doubt, and what was not seen",
    html: proseList(items),
    text: ({ width }) => items.map((item) => wrap(`- ${proseText(item)}`, width, "  ")).join("\n"),
  };
}

function obtainedSection(pressure: PressureResult): Section {
  const facts = obtainedFacts(pressure);
  return {
    id: "obtained",
    title: "How it was obtained",
    html: footerMarkup(facts),
    text: ({ width }) => footerText(facts, width),
  };
}

function reproduceSection(commands: readonly string[]): Section {
  const lines = commands.length === 0 ? ["bootstorm investigate"] : commands;
  return {
    id: "reproduce",
    title: "How to repeat it",
    html: element(
      "pre",
      { role: "region", "aria-label": "commands", tabindex: 0 },
      element("code", {}, group(...lines)),
    ),
    // Not wrapped, so that they can be copied.
    text: () => lines.map((line) => `  ${visible(line)}`).join("\n"),
  };
}

function phaseMeanings(curve: Curve): Markup {
  const items = phasesOf(curve).map((phase) =>
    element("div", {}, element("dt", {}, phase), element("dd", {}, PHASE_MEANING[phase])),
  );
  return element("dl", { class: "facts" }, group("", ...items, ""));
}

function phasesOf({ series }: Curve): readonly (keyof typeof PHASE_MEANING)[] {
  return PHASES.filter((phase) => series.some((one) => one.name === phase));
}

function proseList(items: readonly Prose[]): Markup {
  return element(
    "ul",
    {},
    group("", ...items.map((item) => element("li", {}, proseMarkup(item))), ""),
  );
}

function figure(draw: (size: { width: number; height: number }) => Drawing, id: string): Markup {
  return element(
    "figure",
    {},
    inlineSvg(draw(WIDE), `${id}-wide`, "wide"),
    inlineSvg(draw(NARROW), `${id}-narrow`, "narrow"),
  );
}
