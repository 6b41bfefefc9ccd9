// What became of the talk's question: boot time with each lock design on a modelled host, and the
// checker's verdict beside it.
import { type StormCurve, type StormSeries, stormCurve } from "../analyze/storm-curve.ts";
import type { StormPoint } from "../analyze/storm-point.ts";
import { formatBytes } from "../units.ts";
import type { TimedVerdict } from "./check-report.ts";
import type { Curve } from "./curve.ts";
import { curveChart } from "./curve-chart.ts";
import type { MoreSteps } from "./investigate-report.ts";
import { element, group } from "./markup.ts";
import { nsColumn, percentColumn } from "./number-column.ts";
import { wrap } from "./plain-text.ts";
import { code, type Prose, prose, proseMarkup, proseText } from "./prose.ts";
import type { Section } from "./report.ts";
import { figure } from "./sections.ts";
import { bootCurve } from "./storm-chart.ts";
import { lockProse, msText, vms } from "./storm-words.ts";
import { type Table, tableMarkup, tableText } from "./table.ts";
import { terminalPlot } from "./terminal-plot.ts";

export interface TalkStory {
  /** Name of the ready scenario, and what of it the reader should know. */
  readonly scenario: string;
  readonly seed: number;
  readonly guestMiB: number;
  readonly cpus: number;
  /** Every design at every number of VMs; the first design is the one that is in use. */
  readonly points: readonly StormPoint[];
  /** Of the same designs. */
  readonly verdicts: readonly TimedVerdict[];
  /** Simulates the scenario in full. */
  readonly command: string;
}

/** The patch that the talk proposed. */
const REFUSED = "no-cpa-lock";
/** Below this share of a boot a lock is not to blame for it. */
const BLAME_FROM = 0.05;

/** A finding and a section for the report of `investigate`. */
export function talkParts(story: TalkStory): MoreSteps {
  return {
    findings: [talkSentence(story)],
    sections: [talkSection(story)],
    caveats: [
      prose`The modelled SNP host is a simulation; ${code(story.command)} says what it assumes and leaves out.`,
    ],
  };
}

function talkSentence(story: TalkStory): Prose {
  const lines = linesOf(story);
  const [now] = lines as [Line, ...Line[]];
  const refused = lines.find((line) => line.design === REFUSED);
  const best = bestOf(lines);
  const host = prose`On a modelled SNP host of 2022 (a model with published and assumed costs, no measurement; scenario ${code(story.scenario)}, seed ${story.seed}) booting ${vms(now.last.vms)} takes ${msText(now.last.bootMs.median)} with ${code(now.design)}${blame(now)}`;
  const removal =
    refused === undefined
      ? []
      : prose`; removing ${code("cpa_lock")} makes it ${msText(refused.last.bootMs.median)}${blame(refused)}, ${refused.safe ? "and" : "but"} ${code("check")} finds it ${finding(refused)}`;
  const fix =
    best === undefined
      ? []
      : prose`; ${code(best.design)} is safe and takes ${msText(best.last.bootMs.median)}${blame(best)}`;
  return prose`${host}${removal}${fix}.`;
}

interface Line {
  readonly design: string;
  readonly safe: boolean;
  readonly verdicts: readonly TimedVerdict[];
  readonly series: StormSeries;
  /** With the most VMs. */
  readonly last: StormPoint;
}

/** One for each design, in the order of the scenario. */
function linesOf({ points, verdicts }: TalkStory): readonly Line[] {
  return stormCurve(points).series.map((series) => {
    const design = series.fields[0]!.label;
    const own = verdicts.filter(({ verdict }) => verdict.design === design);
    return {
      design,
      safe: own.every(({ verdict }) => verdict.verdict === "safe"),
      verdicts: own,
      series,
      last: series.points.at(-1)!.point,
    };
  });
}

/** The fastest safe one, where that is not the first. */
function bestOf([now, ...others]: readonly Line[]): Line | undefined {
  return others
    .filter((line) => line.safe && line.last.bootMs.median < now!.last.bootMs.median)
    .sort((a, b) => a.last.bootMs.median - b.last.bootMs.median)[0];
}

function blame({ last: { bottleneck } }: Line): Prose {
  if (bottleneck === undefined || bottleneck.shareOfBoot < BLAME_FROM) {
    return prose`, waiting for no lock`;
  }
  const percent = `${Math.round(bottleneck.shareOfBoot * 100)} %`;
  return prose`, ${percent} of it waiting for ${lockProse(bottleneck.name)}`;
}

/** `unsafe for ro, in 10 steps` */
function finding({ verdicts, safe }: Line): Prose {
  if (safe) return prose`safe`;
  const bad = verdicts.find(({ verdict }) => verdict.verdict !== "safe")!.verdict;
  const { operations, verdict, counterexample } = bad;
  return counterexample === undefined
    ? prose`${verdict} for ${code(operations)}`
    : prose`unsafe for ${code(operations)}, in ${counterexample.replay.steps.length} steps`;
}

/** `safe`, `unsafe: ro`. */
function verdictText({ verdicts, safe }: Line): string {
  if (safe) return "safe";
  const bad = verdicts.map(({ verdict }) => verdict).filter(({ verdict }) => verdict !== "safe");
  return `${bad[0]!.verdict}: ${bad.map(({ operations }) => operations).join(", ")}`;
}

function talkSection(story: TalkStory): Section {
  const lines = linesOf(story);
  const curve = talkCurve(stormCurve(story.points), lines);
  const table = talkTable(lines);
  const about = aboutProse(story);
  return {
    id: "snp-model",
    title: "The same locks on a modelled SNP host",
    html: group(
      element("p", {}, proseMarkup(about)),
      figure((size) => curveChart(curve, size), "snp-model"),
      tableMarkup(table),
    ),
    text: ({ width, ascii }) =>
      [
        wrap(proseText(about), width),
        "",
        terminalPlot(curve, { width, height: 20, ascii }),
        "",
        tableText(table, width),
      ].join("\n"),
  };
}

function aboutProse({ scenario, seed, guestMiB, cpus, command }: TalkStory): Prose {
  const guests = formatBytes(guestMiB * 2 ** 20);
  return prose`Nothing here was measured on this machine. It is a simulation, with costs that others have published, or that are assumed where nobody has: ${cpus} CPUs, the kernel of 2022, and guests of ${guests} that accept all of it page by page. Their launches, one after the other in the PSP, are not counted. Scenario ${code(scenario)}, seed ${seed}; in full: ${code(command)}.`;
}

/** The lines of `simulate`; what is not safe is dashed and says so. */
function talkCurve(curve: StormCurve, lines: readonly Line[]): Curve {
  const boots = bootCurve(curve, { unit: "s", scale: "log" });
  const series = boots.series.map((one, i) =>
    lines[i]!.safe ? one : { ...one, name: `unsafe: ${one.name}`, dashed: true },
  );
  const notes = series.some((one) => one.dashed) ? ["Dashed: not safe."] : [];
  return { ...boots, series, notes };
}

function talkTable(lines: readonly Line[]): Table {
  const counts = lines[0]!.series.points.map(({ x }) => x);
  const boots = nsColumn(
    counts.flatMap((_, i) => lines.map((line) => line.series.points[i]!.point.bootMs.median * 1e6)),
  );
  const shares = lines.map((line) => line.last.bottleneck?.shareOfBoot ?? 0);
  const share = percentColumn(shares);
  const most = vms(counts.at(-1)!);
  return {
    caption: "Median boot times by VMs started at once, and the checker's verdict",
    columns: [
      {
        header: "design",
        cells: lines.map((line) => line.design),
        align: "left",
        code: true,
        whole: true,
      },
      ...counts.map((count, i) => ({
        header: `${count}, ${boots.unit}`,
        cells: boots.cells.slice(i * lines.length, (i + 1) * lines.length),
        align: "right" as const,
      })),
      { header: "check", cells: lines.map(verdictText), align: "left", whole: true },
      {
        header: "waits for",
        cells: lines.map((line) => line.last.bottleneck?.name ?? "nothing"),
        align: "left",
        code: true,
        whole: true,
      },
      { header: `share, ${share.unit}`, cells: share.cells, align: "right", bars: shares },
    ],
    empty: "Nothing was simulated.",
    note: `waits for, share: with ${most}, of the boot time.`,
  };
}
