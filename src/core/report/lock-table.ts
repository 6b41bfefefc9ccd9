import type { ContentionResult, LockWaitRow, PhaseLockShare } from "../analyze/result.ts";
import { formatCount, formatNs } from "../units.ts";
import { countColumn, type NumberColumn, nsColumn, percentColumn } from "./number-column.ts";
import { EVIDENCE_WORDS } from "./sentence.ts";
import type { Column, Table } from "./table.ts";
import { counted, cpus, processes } from "./words.ts";

/** Enough to see what matters; JSON has every row. */
const ROWS_MAX = 12;

/** Waits by lock and caller over the whole recording. */
export function lockTable(contention: ContentionResult): Table {
  const { rows, trace } = contention;
  const shown = rows.slice(0, ROWS_MAX);
  const share = percentColumn(shown.map((row) => row.shareOfCpuTime));
  return {
    caption: `Contended waits during ${formatNs(trace.spanNs)}; CPU: share of the time of ${cpus(trace.cpuCount)}`,
    columns: [
      { header: "lock", cells: shown.map(lockText), align: "left", code: true },
      ...textColumn(
        "called from",
        shown.map((row) => row.caller),
        true,
      ),
      ...textColumn(
        "process",
        shown.map((row) => row.process),
        false,
      ),
      ...textColumn(
        "VM",
        shown.map((row) => row.vm),
        false,
      ),
      { header: "waits", cells: countColumn(shown.map((row) => row.waits)), align: "right" },
      numbers("total", nsColumn(shown.map((row) => row.waitNsTotal))),
      numbers("CPU", share),
      { ...numbers("mean", nsColumn(shown.map((row) => row.waitNsMean))), optional: true },
      { ...numbers("p99", nsColumn(shown.map((row) => row.waitNsP99))), optional: true },
      { ...numbers("max", nsColumn(shown.map((row) => row.waitNsMax))), optional: true },
      { header: "kind", cells: shown.map((row) => row.kind), align: "left", optional: true },
      {
        header: "named by",
        cells: shown.map((row) => EVIDENCE_WORDS[row.lock.evidence]),
        align: "left",
        optional: true,
      },
    ],
    empty: "No wait for a lock was seen.",
    note: rows.length === 0 ? undefined : noteOf(contention, shown),
  };
}

/** What the processes of the load waited for, phase by phase: the numbers the answer cites. */
export function phaseShareTable(shares: readonly PhaseLockShare[]): Table {
  const shown = [...shares].sort((a, b) => b.shareOfTime - a.shareOfTime).slice(0, ROWS_MAX);
  const share = percentColumn(shown.map((row) => row.shareOfTime));
  const counts = new Set(shown.map((row) => row.processes));
  const who = counts.size === 1 ? processes([...counts][0]!) : "the processes of the load";
  return {
    caption: `What ${who} waited for; time: share of their own time`,
    columns: [
      { header: "phase", cells: shown.map((row) => row.phase), align: "left" },
      {
        header: "processes",
        cells: countColumn(shown.map((row) => row.processes)),
        align: "right",
        optional: counts.size === 1,
      },
      { header: "lock", cells: shown.map((row) => row.lock.name), align: "left", code: true },
      ...textColumn(
        "called from",
        shown.map((row) => row.caller),
        true,
      ),
      { header: "waits", cells: countColumn(shown.map((row) => row.waits)), align: "right" },
      numbers("total", nsColumn(shown.map((row) => row.waitNsTotal))),
      { ...numbers("time", share), bars: shown.map((row) => row.shareOfTime) },
    ],
    empty: "No process of the load waited for a lock.",
    note: shares.length > shown.length ? smallerRows(shares.length - shown.length) : undefined,
  };
}

/** `cpa_lock`; `zone->lock ×4` for four locks of that name. */
function lockText({ lock, lockCount }: LockWaitRow): string {
  return lockCount > 1 ? `${lock.name} ×${formatCount(lockCount)}` : lock.name;
}

function noteOf({ rows, totals }: ContentionResult, shown: readonly LockWaitRow[]): string {
  const left = rows.length - shown.length;
  return [
    `All rows together: ${counted(totals.waits, "wait")}, ${formatNs(totals.waitNsTotal)}.`,
    ...(shown.some((row) => row.lockCount > 1) ? ["× counts the locks that share a name."] : []),
    ...(left > 0 ? [smallerRows(left)] : []),
  ].join(" ");
}

function numbers(header: string, { unit, cells }: NumberColumn): Column {
  return { header: `${header}, ${unit}`, cells, align: "right" };
}

/** A column that is there only if a row has something in it. */
function textColumn(
  header: string,
  values: readonly (string | undefined)[],
  isCode: boolean,
): readonly Column[] {
  if (values.every((value) => value === undefined)) return [];
  return [{ header, cells: values.map((value) => value ?? ""), align: "left", code: isCode }];
}

function smallerRows(count: number): string {
  return `${counted(count, "smaller row")} ${count === 1 ? "is" : "are"} not shown; --json has ${count === 1 ? "it" : "them"}.`;
}
