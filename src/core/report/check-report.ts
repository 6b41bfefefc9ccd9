// Verdicts in words: one with its run and what was tried, or many as a table.
import type { Verdict } from "../check/check.ts";
import type { RemovalRow } from "../check/removal.ts";
import type { Law } from "../kernel/law.ts";
import { formatCount, threeDigits } from "../units.ts";
import { type Fact, footerMarkup, footerText } from "./footer.ts";
import type { Maker } from "./investigate-report.ts";
import { element, group } from "./markup.ts";
import { inTerms, type Terms } from "./page-table-terms.ts";
import { code, type Prose, prose } from "./prose.ts";
import type { Report, Section } from "./report.ts";
import { scheduleChart } from "./schedule-chart.ts";
import { scheduleText } from "./schedule-text.ts";
import { caveatSection, reproduceSection } from "./sections.ts";
import { inlineSvg } from "./svg.ts";
import { type Table, tableMarkup, tableText } from "./table.ts";

/** A verdict and how long it took; core has no clock. */
export interface TimedVerdict {
  readonly verdict: Verdict;
  readonly elapsedMs: number;
}

export interface CheckReportOptions {
  readonly terms: Terms;
  readonly reproduce: readonly string[];
}

/** The report of one verdict. */
export function verdictReport(
  { verdict, elapsedMs }: TimedVerdict,
  { terms, reproduce }: CheckReportOptions,
  maker: Maker,
): Report {
  return {
    title: `bootstorm: ${verdict.design}, ${verdict.operations}`,
    subject: `${verdict.design}, ${verdict.operations}`,
    answer: verdictSentence(verdict),
    findings: verdict.counterexample === undefined ? [] : lawSentences(verdict),
    sections: [
      ...(verdict.counterexample === undefined ? [] : [scheduleSection(verdict, terms)]),
      factsSection("tried", "What was tried", triedFacts(verdict, elapsedMs)),
      caveatSection([
        ...verdict.assumptions.map((text) => prose`assumed: ${inTerms(text, terms)}`),
        ...verdict.warnings.map((law) => prose`warning ${law.id}: ${law.title} (${law.source})`),
      ]),
      reproduceSection(reproduce),
    ],
    colophon: `Made by bootstorm ${maker.version}, ${maker.at}.`,
  };
}

/** The report of a table of verdicts. */
export function verdictTableReport(
  rows: readonly TimedVerdict[],
  { terms, reproduce }: CheckReportOptions,
  maker: Maker,
): Report {
  const { assumptions } = rows[0]!.verdict;
  return {
    title: "bootstorm: verdicts on lock designs",
    subject: `${formatCount(rows.length)} verdicts`,
    answer: tableSentence(rows),
    findings: [],
    sections: [
      verdictTableSection(rows),
      caveatSection(assumptions.map((text) => prose`assumed: ${inTerms(text, terms)}`)),
      reproduceSection(reproduce),
    ],
    colophon: `Made by bootstorm ${maker.version}, ${maker.at}.`,
  };
}

/** Many verdicts as a part of a report. */
export function verdictTableSection(rows: readonly TimedVerdict[]): Section {
  const table = verdictTableOf(rows);
  return {
    id: "verdicts",
    title: "Which lock design is safe, for which operations",
    html: tableMarkup(table),
    text: ({ width }) => tableText(table, width),
  };
}

/** What the verdicts on one kernel's design, and on the design without cpa_lock, come to. */
export function kernelVerdictSentence(
  rows: readonly TimedVerdict[],
  own: string,
  without: string | undefined,
): Prose {
  const safeFor = (design: string) => {
    const verdicts = rows.map(({ verdict }) => verdict).filter((each) => each.design === design);
    const safe = verdicts.filter((each) => each.verdict === "safe");
    if (safe.length === verdicts.length) return prose`safe for all operations that were checked`;
    if (safe.length === 0) return prose`safe for none of the operations that were checked`;
    const unsafe = verdicts.filter((each) => each.verdict !== "safe");
    const names = (each: readonly Verdict[]) => each.map(({ operations }) => operations).join(", ");
    return safe.length <= unsafe.length
      ? prose`safe for ${names(safe)} alone`
      : prose`safe for all but ${names(unsafe)}`;
  };
  const after =
    without === undefined
      ? []
      : prose`; without ${code("cpa_lock")} it would be ${safeFor(without)}`;
  return prose`The lock design of this kernel, ${code(own)}, is ${safeFor(own)}${after}: every interleaving was tried.`;
}

/** `no-cpa-lock is unsafe for ro: …` */
export function verdictSentence({
  design,
  operations,
  verdict,
  unknown,
  counterexample,
  cpus,
  states,
}: Verdict): Prose {
  const subject = prose`${code(design)} is ${verdict} for ${code(operations)}`;
  if (counterexample !== undefined) {
    const { steps, preemptions } = counterexample.replay;
    const how = `${steps.length} steps, ${preemptions} ${preemptions === 1 ? "preemption" : "preemptions"}`;
    const { grade, id, title } = counterexample.law;
    return prose`${subject}: after ${how} on ${counterexample.programs.length} CPUs ${title} (law ${id}, ${grade}).`;
  }
  if (unknown !== undefined) return prose`${subject}: ${unknown.text}.`;
  return prose`${subject}: every interleaving of ${cpus} CPUs was tried, ${formatCount(states)} states, and no law is broken.`;
}

function lawSentences({ counterexample }: Verdict): Prose[] {
  return counterexample!.laws.map(
    ({ id, title, grade, source }) => prose`${id}, ${grade}: ${title}. Source: ${source}.`,
  );
}

/** @param id  unique in the report, if it shows several */
export function scheduleSection(verdict: Verdict, terms: Terms, id = "schedule"): Section {
  const counterexample = verdict.counterexample!;
  const region = (name: string) => ({ role: "region", "aria-label": name, tabindex: 0 });
  const text = scheduleText(counterexample, terms);
  return {
    id,
    title: "The run that breaks it",
    html: group(
      element(
        "figure",
        { class: "scroll", ...region(id) },
        inlineSvg(scheduleChart(counterexample, terms, { width: 860 }), id, "unshrunk"),
      ),
      element(
        "details",
        {},
        element("summary", {}, "The same as text, to paste into a mail"),
        element("pre", region(`${id} as text`), element("code", {}, group(...text.split("\n")))),
      ),
    ),
    text: () => text,
  };
}

function factsSection(id: string, title: string, facts: readonly Fact[]): Section {
  return {
    id,
    title,
    html: footerMarkup(facts),
    text: ({ width }) => footerText(facts, width),
  };
}

function triedFacts(verdict: Verdict, elapsedMs: number): Fact[] {
  const { coverage, complete, states, transitions, cpus, pages, regions } = verdict;
  const { selfCheck, tested, locks, unreached, progress } = coverage;
  const contended = locks.filter((lock) => lock.contended).map((lock) => lock.name);
  const uncontended = locks.filter((lock) => !lock.contended).map((lock) => lock.name);
  return [
    { label: "bounds", text: `${cpus} CPUs, ${pages} pages in ${regions} × 2 MiB` },
    {
      label: "explored",
      text: `${formatCount(states)} states, ${formatCount(transitions)} transitions in ${threeDigits(elapsedMs)} ms, ${complete ? "all there are" : "not all there are"}`,
    },
    { label: "reductions", text: coverage.reductions.join("; ") || "none" },
    ...(selfCheck === undefined
      ? coverage.selfCheckAbsent === undefined
        ? []
        : [{ label: "their self-check", text: `not made: ${coverage.selfCheckAbsent}` }]
      : [
          {
            label: "their self-check",
            text: `${selfCheck.passed ? "passed" : "FAILED"} at ${selfCheck.cpus} CPUs: the reduced search stands for ${formatCount(selfCheck.reduced)} states, the one without symmetry has ${formatCount(selfCheck.unreduced)}`,
          },
        ]),
    {
      label: "progress",
      text:
        progress === undefined
          ? "not looked at: too many states, or the search ended at a violation"
          : progress
            ? "from every state all CPUs can finish"
            : "from some state they cannot finish",
    },
    { label: "locks waited for", text: contended.join(", ") || "none" },
    ...(uncontended.length === 0
      ? []
      : [{ label: "never waited for", text: uncontended.join(", ") }]),
    {
      label: "laws tested",
      text: `both sizes in a TLB ${formatCount(tested.bothSizes)} times, a flush with something to drop ${formatCount(tested.flushCleared)}, a return that promised a flush ${formatCount(tested.returnFlushed)}, a store beside a detached table ${formatCount(tested.storeAfterDetach)}`,
    },
    {
      label: "steps no run did",
      text: unreached.length === 0 ? "none" : unreached.join("; "),
    },
  ];
}

function tableSentence(rows: readonly TimedVerdict[]): Prose {
  const count = (word: Verdict["verdict"]) =>
    rows.filter(({ verdict }) => verdict.verdict === word).length;
  const ms = rows.reduce((sum, row) => sum + row.elapsedMs, 0);
  const unknown = count("unknown");
  const rest = unknown === 0 ? "" : `, ${unknown} unknown`;
  return prose`${formatCount(rows.length)} questions, every interleaving of each, in ${threeDigits(ms / 1000)} s: ${count("safe")} safe, ${count("unsafe")} unsafe${rest}.`;
}

function verdictTableOf(rows: readonly TimedVerdict[]): Table {
  const operations = [...new Set(rows.map(({ verdict }) => verdict.operations))];
  const designs = [...new Set(rows.map(({ verdict }) => verdict.design))];
  const cell = (design: string, operation: string) => {
    const row = rows.find(
      ({ verdict }) => verdict.design === design && verdict.operations === operation,
    );
    return row === undefined ? "" : verdictCell(row.verdict);
  };
  const states = rows.reduce((sum, { verdict }) => sum + verdict.states, 0);
  return {
    caption: `Verdicts at ${rows[0]!.verdict.cpus} CPUs; a broken law is named, with the steps to it`,
    columns: [
      { header: "design", cells: designs, align: "left", code: true, whole: true },
      ...operations.map((operation) => ({
        header: operation,
        cells: designs.map((design) => cell(design, operation)),
        align: "left" as const,
      })),
    ],
    empty: "No design was asked for.",
    note: `${brokenLaws(rows)}${formatCount(states)} states in all. One verdict in full: bootstorm check --design NAME --ops OPERATIONS`,
  };
}

function verdictCell({ verdict, counterexample }: Verdict): string {
  if (counterexample === undefined) return verdict;
  return `✗ ${familyOf(counterexample.law)} ${counterexample.replay.steps.length}`;
}

/** `C1-access` is one of the C1 laws: enough for a table. */
function familyOf({ id }: Law): string {
  return id.replace(/-.*/, "");
}

/** `C1-access: a TLB may hold …. ` for each law that the table names. */
function brokenLaws(rows: readonly TimedVerdict[]): string {
  const broken = rows.flatMap(({ verdict }) => verdict.counterexample?.law ?? []);
  return [...new Set(broken)].map(({ id, title }) => `${id}: ${title}. `).join("");
}

/** The report of what becomes of a design when one lock, flush or second look is taken away. */
export function removalReport(
  design: string,
  rows: readonly RemovalRow[],
  { reproduce }: CheckReportOptions,
  maker: Maker,
): Report {
  const table = removalTableOf(rows);
  const caught = rows.filter((row) => row.outcome === "caught").length;
  return {
    title: `bootstorm: what ${design} needs`,
    subject: design,
    answer: prose`${code(design)} has ${rows.length} locks, flushes and second looks to take away: without ${caught} of them it is unsafe, the others are redundant for these operations.`,
    findings: [],
    sections: [
      {
        id: "removals",
        title: "What is needed",
        html: tableMarkup(table),
        text: ({ width }) => tableText(table, width),
      },
      reproduceSection(reproduce),
    ],
    colophon: `Made by bootstorm ${maker.version}, ${maker.at}.`,
  };
}

function removalTableOf(rows: readonly RemovalRow[]): Table {
  return {
    caption: "Each lock, flush and second look of the design, taken away",
    columns: [
      { header: "without", cells: rows.map((row) => row.what), align: "left" },
      { header: "outcome", cells: rows.map((row) => row.outcome), align: "left" },
      { header: "why", cells: rows.map(removalReason), align: "left" },
    ],
    empty: "The design has nothing to take away, or is not safe to begin with.",
  };
}

function removalReason({ law, operations, steps, coveredBy }: RemovalRow): string {
  if (law !== undefined) return `${law.id}, ${operations}, ${steps} steps`;
  return coveredBy.length === 0 ? "nothing needs it" : `covered by ${coveredBy.join(", ")}`;
}
