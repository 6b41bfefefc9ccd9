// What kernels with their own checks said, and what became of the boots that failed.
import type { BootFailure, MixedSeen } from "../../analyze/kernel-ab/result.ts";
import { formatCount } from "../../units.ts";
import { element, group } from "../markup.ts";
import { visible, wrap } from "../plain-text.ts";
import { type Prose, prose, proseMarkup, proseText } from "../prose.ts";
import type { Section } from "../report.ts";
import { type Table, tableMarkup, tableText } from "../table.ts";
import { counted } from "../words.ts";
import type { KernelAbReport } from "./input.ts";

/** Complaints shown of each kernel, consoles shown, and how much of each: guests write anything. */
const COMPLAINTS_MAX = 5;
const CONSOLES_MAX = 6;
const TAIL_LINES_MAX = 12;
const CHARS_MAX = 160;

export function mixedSections(report: KernelAbReport): readonly Section[] {
  const { mixed } = report.result;
  if (mixed.length === 0) return [];
  const table = mixedTable(report, mixed);
  const about = mixedProse(report, mixed);
  return [
    {
      id: "mixed",
      title: "What debugging kernels saw",
      html: group(element("p", {}, proseMarkup(about)), tableMarkup(table)),
      text: ({ width }) => `${wrap(proseText(about), width)}\n\n${tableText(table, width)}`,
    },
  ];
}

/** What kernels themselves found wrong, in boots of any purpose. */
export function complaintSections({ result }: KernelAbReport): readonly Section[] {
  const consoles = result.arms.flatMap(({ name, complaints = [] }) =>
    complaints.length === 0
      ? []
      : [{ title: `${name} complained of`, lines: bounded(complaints.slice(0, COMPLAINTS_MAX)) }],
  );
  if (consoles.length === 0) return [];
  return [
    {
      id: "complaints",
      title: "What kernels complained of",
      html: group(...consoles.map(consoleMarkup)),
      text: ({ width }) => consoles.map((each) => consoleText(each, width)).join("\n\n"),
    },
  ];
}

function mixedProse({ run }: KernelAbReport, mixed: readonly MixedSeen[]): Prose {
  const isBad = ({ wrongEntries, wrongAccesses, complaints }: MixedSeen) =>
    wrongEntries > 0 || wrongAccesses > 0 || complaints.length > 0;
  const seen = mixed.some(isBad)
    ? prose`Kernels with their own checks saw something wrong; the table says what.`
    : prose`Nothing wrong was seen. That is what was seen, and no proof`;
  if (mixed.some(isBad)) return seen;
  return run.accelerator === "tcg"
    ? prose`${seen}: the emulated TLB of QEMU holds 4 KiB entries only, so that law C1 can neither be broken there nor be seen to be.`
    : prose`${seen}: a race that needs one moment of a few nanoseconds may not happen in this time.`;
}

function mixedTable(report: KernelAbReport, mixed: readonly MixedSeen[]): Table {
  const count = (header: string, cells: readonly number[]) =>
    ({ header, cells: cells.map(formatCount), align: "right" }) as const;
  return {
    caption: "Attribute changes beside threads that toggle pages of the same 2 MiB",
    columns: [
      {
        header: "kernel",
        cells: mixed.map(({ arm }) => report.result.arms[arm]!.name),
        align: "left",
        code: true,
      },
      count(
        "changes",
        mixed.map(({ attributeChanges }) => attributeChanges),
      ),
      count(
        "toggles",
        mixed.map(({ toggles }) => toggles),
      ),
      count(
        "wrong entries",
        mixed.map(({ wrongEntries }) => wrongEntries),
      ),
      count(
        "accesses",
        mixed.map(({ wrongAccesses }) => wrongAccesses),
      ),
      count(
        "complaints",
        mixed.map(({ complaints }) => complaints.length),
      ),
    ],
    empty: "No kernel answered.",
  };
}

/** Every failure as a row; consoles of the first few. */
export function failureSections(report: KernelAbReport): readonly Section[] {
  const { failures } = report.result;
  if (failures.length === 0) return [];
  const groups = groupsOf(failures);
  const consoles = failures
    .filter(({ consoleTail = [] }) => consoleTail.length > 0)
    .slice(0, CONSOLES_MAX)
    .map(({ arm, outcome, repetition, consoleTail = [] }) => ({
      title: `Last lines of ${report.result.arms[arm]!.name}, repetition ${repetition + 1} (${outcome})`,
      lines: bounded(consoleTail.slice(-TAIL_LINES_MAX)),
    }));
  return [
    {
      id: "failures",
      title: "What failed",
      html: group(tableMarkup(failureTable(report, groups)), ...consoles.map(consoleMarkup)),
      text: ({ width }) =>
        [
          [
            wrap(FAILURES_CAPTION, width),
            ...groups.map((each) => failureText(report, each, width)),
          ].join("\n"),
          ...consoles.map((each) => consoleText(each, width)),
        ].join("\n\n"),
    },
  ];
}

const FAILURES_CAPTION =
  "Boots that did not end as they should, and orders that failed; none is left out";

const PURPOSES = { time: "times", count: "lock statistics", debug: "its own checks" } as const;

/** Failures that differ in their repetition only. */
interface FailureGroup extends BootFailure {
  /** `warm-up`, `repetition 3`, … */
  readonly when: readonly string[];
}

function groupsOf(failures: readonly BootFailure[]): readonly FailureGroup[] {
  const groups = new Map<string, FailureGroup>();
  for (const one of failures) {
    const key = JSON.stringify([one.arm, one.purpose, one.vcpus, one.outcome, one.why]);
    const { when } = groups.get(key) ?? { when: [] };
    const own = one.role === "warm-up" ? "warm-up" : `repetition ${one.repetition + 1}`;
    groups.set(key, { ...one, when: [...when, own] });
  }
  return [...groups.values()];
}

function failureTable(report: KernelAbReport, groups: readonly FailureGroup[]): Table {
  const column = (header: string, cell: (group: FailureGroup) => string) =>
    ({ header, cells: groups.map(cell), align: "left" }) as const;
  return {
    caption: FAILURES_CAPTION,
    columns: [
      { ...column("kernel", ({ arm }) => report.result.arms[arm]!.name), code: true },
      column("for", ({ purpose }) => PURPOSES[purpose]),
      column("vCPUs", ({ vcpus }) => `${vcpus}`),
      column("in", ({ when }) => when.join(", ")),
      column("outcome", ({ outcome }) => outcome),
      column("why", ({ why }) => why.slice(0, CHARS_MAX)),
    ],
    empty: "None.",
  };
}

/** The reason says most, and is too long for a column of a terminal. */
function failureText(report: KernelAbReport, group: FailureGroup, width: number): string {
  const { arm, purpose, vcpus, when, outcome, why } = group;
  const which = `${report.result.arms[arm]!.name} for ${PURPOSES[purpose]}, ${counted(vcpus, "vCPU")}`;
  const what = `${outcome}: ${why.slice(0, CHARS_MAX)}`;
  return wrap(visible(`- ${which}, ${when.join(", ")}: ${what}`), width, "  ");
}

interface Console {
  readonly title: string;
  readonly lines: readonly string[];
}

function bounded(lines: readonly string[]): readonly string[] {
  return lines.map((line) => line.slice(0, CHARS_MAX));
}

function consoleText({ title, lines }: Console, width: number): string {
  return [wrap(visible(title), width), ...lines.map((line) => `  ${visible(line)}`)].join("\n");
}

function consoleMarkup({ title, lines }: Console) {
  return group(
    element("p", { class: "muted caption" }, title),
    element(
      "pre",
      { role: "region", "aria-label": title, tabindex: 0 },
      element("code", {}, group(...lines)),
    ),
  );
}
