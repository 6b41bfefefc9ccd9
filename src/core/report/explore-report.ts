// Designs × policies in one table: is it safe, and how long do boots take?
import type { Distribution } from "../stats/distribution.ts";
import type { TimedVerdict } from "./check-report.ts";
import { verdictTableSection } from "./check-report.ts";
import { curveChart } from "./curve-chart.ts";
import { exploreCurve, isSafe } from "./explore-chart.ts";
import type { Fact } from "./footer.ts";
import { nsColumn } from "./number-column.ts";
import { code, type Prose, prose } from "./prose.ts";
import type { Report, Section } from "./report.ts";
import { caveatSection, figure, obtainedSection, reproduceSection } from "./sections.ts";
import { msText, vms } from "./storm-words.ts";
import { type Column, type Table, tableMarkup, tableText } from "./table.ts";
import { terminalPlot } from "./terminal-plot.ts";

export interface ExploreRow {
  readonly design: string;
  readonly policy: string;
  readonly verdicts: readonly { readonly operations: string; readonly verdict: string }[];
  /** By number of VMs. */
  readonly bootMs: Readonly<Record<string, Distribution>>;
  readonly front: boolean;
}

export interface ExploreReport {
  readonly rows: readonly ExploreRow[];
  readonly verdicts: readonly TimedVerdict[];
  /** Storms of each point. */
  readonly replications: number;
  readonly caveats: readonly string[];
  readonly obtained: readonly Fact[];
  readonly reproduce: readonly string[];
  readonly version: string;
}

/** What most hosts run: what the best is compared with, where it was asked for. */
const USUAL = "linux-4.20";

export function exploreReport(explore: ExploreReport): Report {
  const { rows, verdicts, version } = explore;
  return {
    title: "bootstorm: lock designs and policies",
    subject: `${rows.length} combinations of lock design and policy`,
    answer: exploreAnswer(rows),
    findings: [],
    sections: [
      ...(countsOf(rows).length < 2 ? [] : [curveSection(rows, explore.replications)]),
      rowSection(rows),
      verdictTableSection(verdicts),
      caveatSection(explore.caveats.map((text) => prose`${text}`)),
      obtainedSection(explore.obtained),
      reproduceSection(explore.reproduce),
    ],
    colophon: `Made by bootstorm ${version}.`,
  };
}

function exploreAnswer(rows: readonly ExploreRow[]): Prose {
  const most = mostVms(rows);
  const safe = rows.filter(isSafe);
  const at = (row: ExploreRow) => msText(row.bootMs[most]!.median);
  const counts = prose`Of ${rows.length} combinations ${safe.length} are safe`;
  const best = [...rows].filter((row) => row.front).sort(byBoot(most))[0];
  if (best === undefined) return prose`${counts}.`;
  const usual = rows.find((row) => row.design === USUAL && row.policy === "none") ?? rows[0]!;
  return prose`${counts}; the fastest of them at ${vms(Number(most))} is ${named(best)}: a boot takes ${at(best)}, with ${named(usual)} ${at(usual)}.`;
}

function named({ design, policy }: ExploreRow): Prose {
  return policy === "none" ? prose`${code(design)}` : prose`${code(design)} with ${code(policy)}`;
}

function curveSection(rows: readonly ExploreRow[], replications: number): Section {
  const curve = exploreCurve(rows, replications);
  return {
    id: "boot-times",
    title: curve.title,
    html: figure((size) => curveChart(curve, size), "boot-times"),
    text: ({ width, ascii }) => terminalPlot(curve, { width, height: 26, ascii }),
  };
}

function rowSection(rows: readonly ExploreRow[]): Section {
  const table = rowTable(rows);
  return {
    id: "combinations",
    title: "Every combination, the front first",
    html: tableMarkup(table),
    text: ({ width }) => tableText(table, width),
  };
}

function rowTable(all: readonly ExploreRow[]): Table {
  const byLast = byBoot(mostVms(all));
  const rows = [...all].sort((a, b) => Number(b.front) - Number(a.front) || byLast(a, b));
  const text = (header: string, cells: readonly string[], isCode = false) =>
    ({ header, cells, align: "left", whole: true, code: isCode }) as const;
  const operations = all[0]!.verdicts.map((each) => each.operations);
  return {
    caption: "Median boot times by VMs started at once",
    columns: [
      text(
        "design",
        rows.map((row) => row.design),
        true,
      ),
      text(
        "policy",
        rows.map((row) => row.policy),
      ),
      text(
        "front",
        rows.map((row) => (row.front ? "✓" : "")),
      ),
      ...bootColumns(rows),
      ...operations.map((name, i) => ({
        ...text(
          name,
          rows.map((row) => row.verdicts[i]!.verdict),
        ),
        optional: true,
      })),
    ],
    empty: "Nothing was asked for.",
    note: "front: safe for all operations, and no other safe combination is faster somewhere and nowhere slower, by more than 1 %.",
  };
}

/** One for each number of VMs, all in one unit. */
function bootColumns(rows: readonly ExploreRow[]): Column[] {
  const counts = countsOf(rows);
  const { unit, cells } = nsColumn(
    counts.flatMap((count) => rows.map((row) => row.bootMs[count]!.median * 1e6)),
  );
  return counts.map((count, i) => ({
    header: `${count}, ${unit}`,
    cells: cells.slice(i * rows.length, (i + 1) * rows.length),
    align: "right",
  }));
}

/** Keys of a record that are whole numbers stand in ascending order. */
function countsOf(rows: readonly ExploreRow[]): readonly string[] {
  return Object.keys(rows[0]!.bootMs);
}

function mostVms(rows: readonly ExploreRow[]): string {
  return countsOf(rows).at(-1)!;
}

function byBoot(count: string): (a: ExploreRow, b: ExploreRow) => number {
  return (a, b) => a.bootMs[count]!.median - b.bootMs[count]!.median;
}
