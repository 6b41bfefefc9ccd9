// The parts of reports: each draws one thing for a page and says it for a terminal.
import type { PressureResult, WaitTimeline } from "../analyze/result.ts";
import type { HostFact } from "../facts/host-fact.ts";
import { type Curve, PHASE_MEANING, PHASES, pressureCurve } from "./curve.ts";
import { curveChart } from "./curve-chart.ts";
import { type Fact, footerMarkup, footerText } from "./footer.ts";
import { factsMarkup } from "./host-facts.ts";
import { element, group, type Markup } from "./markup.ts";
import { visible, wrap } from "./plain-text.ts";
import { pressureTable } from "./pressure-table.ts";
import { type Prose, prose, proseMarkup, proseText } from "./prose.ts";
import type { Section } from "./report.ts";
import { type Drawing, inlineSvg } from "./svg.ts";
import { type Table, tableMarkup, tableText } from "./table.ts";
import { terminalPlot } from "./terminal-plot.ts";
import { terminalTimeline } from "./terminal-timeline.ts";
import { timelineChart } from "./timeline-chart.ts";

// Two drawings of each chart: text keeps its size on a phone, where one shrunk to fit would not.
const WIDE = { width: 860, height: 440 };
const NARROW = { width: 340, height: 340 };

export function curveSection(pressure: PressureResult): Section {
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

/** @param tables  empty when lock waits were not recorded */
export function lockSection(tables: readonly Table[]): Section {
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

export function timelineSection(timeline: WaitTimeline): Section {
  return {
    id: "timeline",
    title: "A moment of it: who waited when",
    html: figure((size) => timelineChart(timeline, size), "timeline"),
    text: (size) => terminalTimeline(timeline, size),
  };
}

export function hostSection(host: readonly HostFact[]): Section {
  return { id: "host", title: "What this host can do", html: factsMarkup(host) };
}

export function caveatSection(caveats: readonly Prose[]): Section {
  const items = caveats.length === 0 ? [prose`Nothing known.`] : caveats;
  return listSection("caveats", "What to doubt, and what was not seen", items);
}

export function listSection(id: string, title: string, items: readonly Prose[]): Section {
  return {
    id,
    title,
    html: proseList(items),
    text: ({ width }) => items.map((item) => wrap(`- ${proseText(item)}`, width, "  ")).join("\n"),
  };
}

export function tableSection(id: string, title: string, table: Table): Section {
  return {
    id,
    title,
    html: tableMarkup(table),
    text: ({ width }) => tableText(table, width),
  };
}

export function obtainedSection(facts: readonly Fact[]): Section {
  return {
    id: "obtained",
    title: "How it was obtained",
    html: footerMarkup(facts),
    text: ({ width }) => footerText(facts, width),
  };
}

export function reproduceSection(commands: readonly string[]): Section {
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

export function figure(
  draw: (size: { width: number; height: number }) => Drawing,
  id: string,
): Markup {
  return element(
    "figure",
    {},
    inlineSvg(draw(WIDE), `${id}-wide`, "wide"),
    inlineSvg(draw(NARROW), `${id}-narrow`, "narrow"),
  );
}
