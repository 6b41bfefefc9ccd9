import type { ContentionResult, LockWaitRow, WaitTimeline } from "../analyze/result.ts";
import type { SpinlockVisibility } from "../facts/spinlock-visibility.ts";
import { formatNs, formatShare } from "../units.ts";
import { contentionCaveats, isSimulated, visibilityCaveats } from "./caveats.ts";
import { traceFacts } from "./footer.ts";
import type { Maker } from "./investigate-report.ts";
import { lockTable } from "./lock-table.ts";
import { code, type Prose, prose } from "./prose.ts";
import type { Report } from "./report.ts";
import { caveatSection, lockSection, obtainedSection, timelineSection } from "./sections.ts";
import { lockCode } from "./sentence.ts";
import { counted, cpus } from "./words.ts";

export interface ContentionInput {
  readonly contention: ContentionResult;
  readonly timeline: WaitTimeline;
  readonly visibility: SpinlockVisibility;
  /** What else there is to doubt, such as how the command that was watched ended. */
  readonly notes: readonly string[];
}

/** The report of `contention`. */
export function contentionReport(input: ContentionInput, maker: Maker): Report {
  const { contention, timeline } = input;
  return {
    title: "bootstorm: lock contention",
    subject: `${formatNs(contention.trace.spanNs)} on ${cpus(contention.trace.cpuCount)}, from ${contention.trace.source}`,
    answer: answer(contention),
    findings: [],
    sections: [
      lockSection([lockTable(contention)]),
      ...(contention.rows.length === 0 ? [] : [timelineSection(timeline)]),
      caveatSection(contentionInputCaveats(input)),
      obtainedSection(traceFacts(contention.trace)),
    ],
    colophon: `Made by bootstorm ${maker.version}, ${maker.at}.`,
  };
}

/** What this recording could not see, and what to doubt in what it saw. */
export function contentionInputCaveats({
  contention,
  visibility,
  notes,
}: ContentionInput): readonly Prose[] {
  return [
    ...notes.map((note) => prose`${note}`),
    ...visibilityCaveats(visibility),
    ...contentionCaveats(contention),
  ];
}

function answer({ rows, totals, trace }: ContentionResult): Prose {
  const of = isSimulated(trace) ? " of a simulated storm" : "";
  const span = `In ${formatNs(trace.spanNs)}${of} on ${cpus(trace.cpuCount)}`;
  const top = rows[0];
  if (top === undefined) return prose`${span} no wait for a lock was seen.`;
  const burnt = rows
    .filter((row) => row.kind === "spin")
    .reduce((sum, row) => sum + row.shareOfCpuTime, 0);
  const spinning = burnt === 0 ? "" : `, ${formatShare(burnt)} of all CPU time spent spinning`;
  return prose`${span} waits for locks added up to ${formatNs(totals.waitNsTotal)}${spinning}; the most, ${formatNs(top.waitNsTotal)} in ${counted(top.waits, "wait")}, for ${lockCode(top.lock)}${whence(top)}.`;
}

function whence({ caller, process }: LockWaitRow): Prose {
  if (caller !== undefined) return prose`, called from ${code(caller)}`;
  return process === undefined ? [] : prose`, by ${process}`;
}
