// The numbers of real boots, in tables.
import { BOOT_PARTS, type BootBlame } from "../analyze/boot-blame.ts";
import { BOOT_MEASURES, type BootChange } from "../analyze/boot-changes.ts";
import type { BootLock, BootLockPoint } from "../analyze/boot-locks.ts";
import { BOOT_PHASES } from "../analyze/boot-phases.ts";
import type { BootPoint } from "../analyze/boot-points.ts";
import type { BootSetting } from "../analyze/boot-setting.ts";
import type { BootFailure } from "../analyze/boots-result.ts";
import { formatBytes, formatCount, threeDigits } from "../units.ts";
import {
  changeCell,
  limitLabel,
  MEASURE_WORDS,
  PART_WORDS,
  pressureText,
  settingText,
} from "./boots-words.ts";
import { countColumn, percentColumn } from "./number-column.ts";
import { vms } from "./storm-words.ts";
import type { Column, Table } from "./table.ts";

/** Enough to see what matters; JSON has every row. */
const LOCKS_MAX = 12;
const FAILURES_MAX = 12;
const WHY_CHARS_MAX = 300;

/** One row a point. */
export function bootsPointTable(points: readonly BootPoint[]): Table {
  const each = (of: (point: BootPoint) => number | undefined) => points.map(of);
  const time = timeUnit(
    points.flatMap(({ sinceRequestMs, makespanMs }) => [sinceRequestMs?.max, makespanMs]),
  );
  return {
    caption: `Every point, in ${time.unit}; times of the boots that got ready`,
    columns: [
      ...settingColumns(points),
      time.column(
        "in service",
        each(({ readyMs }) => readyMs?.median),
      ),
      time.column(
        "since request",
        each(({ sinceRequestMs }) => sinceRequestMs?.median),
      ),
      optional({
        header: "interval",
        cells: points.map(({ sinceRequestMs }) =>
          sinceRequestMs === undefined
            ? ""
            : `${time.cell(sinceRequestMs.low)} to ${time.cell(sinceRequestMs.high)}`,
        ),
        align: "right",
      }),
      time.column(
        "p95",
        each(({ sinceRequestMs }) => sinceRequestMs?.p95),
      ),
      optional(
        time.column(
          "p99",
          each(({ sinceRequestMs }) => sinceRequestMs?.p99),
        ),
      ),
      time.column(
        "all ready",
        each(({ makespanMs }) => makespanMs),
      ),
      optional(
        time.column(
          "CPU",
          each(({ cpuMs }) => cpuMs?.mean),
        ),
      ),
      optional({
        header: "memory",
        cells: points.map(({ memoryBytes }) =>
          memoryBytes === undefined ? "" : formatBytes(memoryBytes.median),
        ),
        align: "right",
      }),
      counts(
        "failed",
        points.map(({ failed }) => failed),
      ),
      optional(
        counts(
          "boots",
          points.map(({ boots }) => boots),
        ),
      ),
      optional(
        counts(
          "rounds",
          points.map(({ rounds }) => rounds),
        ),
      ),
    ],
    empty: "No round was measured.",
    note: "Medians; p95 and p99 since the request. interval: of the median since the request, as the bars. all ready: from the first request to the last VM, of rounds without a failure. CPU, memory: of one VM, mean and median.",
  };
}

/** Limits, kinds and pressure beside what they are compared with. */
export function changeTable(changes: readonly BootChange[]): Table {
  const text = (header: string, cells: readonly string[]): Column => ({
    header,
    cells,
    align: "left",
    whole: true,
  });
  return {
    caption:
      "Change of the time since the request against the same VMs without it, by pairs of rounds of one repetition, in %",
    columns: [
      counts(
        "VMs",
        changes.map(({ vms }) => vms),
      ),
      text("with", changes.map(differenceText)),
      ...BOOT_MEASURES.map((measure) =>
        text(
          MEASURE_WORDS[measure],
          changes.map(({ change }) => changeCell(change[measure])),
        ),
      ),
      optional(
        counts(
          "pairs",
          changes.map(({ pairs }) => pairs),
        ),
      ),
    ],
    empty: "Nothing ran beside each other.",
    note: "In brackets the 95 % interval; below 6 pairs, the smallest and the largest pair. none: the interval covers 0.",
  };
}

function differenceText({ by, limit, kind, pressure }: BootChange): string {
  if (by === "limit") return limitLabel(limit);
  return by === "kind" ? kind : pressureText(pressure);
}

/** Why boots are slower than with the fewest VMs, part by part. @param blame  not empty */
export function blameTable(blame: readonly BootBlame[]): Table {
  const parts = BOOT_PARTS.filter((part) => blame.some(({ partsMs }) => partsMs[part]));
  const time = timeUnit(blame.map(({ slowdownMs }) => slowdownMs.value));
  return {
    caption: `How much longer boots take in service than with ${vms(blame[0]!.againstVms)}, on average, and what it is, in ${time.unit}`,
    columns: [
      ...settingColumns(blame),
      time.column(
        "slower by",
        blame.map(({ slowdownMs }) => slowdownMs.value),
      ),
      optional({
        header: "interval",
        cells: blame.map(
          ({ slowdownMs: { low, high } }) => `${time.cell(low)} to ${time.cell(high)}`,
        ),
        align: "right",
      }),
      ...parts.map((part) =>
        time.column(
          PART_WORDS[part],
          blame.map(({ partsMs }) => partsMs[part]?.value),
        ),
      ),
    ],
    empty: "There is nothing to compare.",
    note: "The parts add up to the slowdown. Empty: not recorded; its time is then in other parts.",
  };
}

/** Locks by number of VMs: the wait of a boot for each. @param points  not empty */
export function bootLockTable(points: readonly BootLockPoint[]): Table {
  const last = points.at(-1)!;
  const shown = last.locks.slice(0, LOCKS_MAX);
  const waitMs = (point: BootLockPoint, { lock, kind }: BootLock) =>
    point.locks.find((each) => each.lock.name === lock.name && each.kind === kind)?.waitMs ?? 0;
  const time = timeUnit(points.flatMap((point) => shown.map((lock) => waitMs(point, lock))));
  const share = percentColumn(shown.map(({ shareOfBoot }) => shareOfBoot));
  const left = last.locks.length - shown.length;
  return {
    caption: `Wait of a boot for each lock by the number of VMs, all threads of its VMM together, in ${time.unit}`,
    columns: [
      { header: "lock", cells: shown.map(lockText), align: "left", code: true, whole: true },
      ...points.map((point) =>
        time.column(
          vms(point.vms),
          shown.map((lock) => waitMs(point, lock)),
        ),
      ),
      {
        header: `of a boot, ${share.unit}`,
        cells: share.cells,
        align: "right",
        bars: shown.map(({ shareOfBoot }) => shareOfBoot),
      },
      optional({ header: "kind", cells: shown.map(({ kind }) => kind), align: "left" }),
      optional({
        header: "waits a boot",
        cells: shown.map(({ waits }) => threeDigits(waits)),
        align: "right",
      }),
    ],
    empty: "No VM waited for a lock.",
    note: [
      `of a boot: what a boot with ${formatCount(last.vms)} sat through, its vCPUs and before them the VMM, as a share of its time in service.`,
      ...(left > 0 ? [`${left} with less wait are not shown; --json has them.`] : []),
    ].join(" "),
  };
}

/** The waits of the last column of that table, by the phase of the boot. */
export function lockPhaseTable(point: BootLockPoint): Table {
  const shown = point.locks.slice(0, LOCKS_MAX);
  const order = BOOT_PHASES.map(({ name }): string => name);
  const phases = [...new Set(shown.flatMap(({ phasesMs }) => Object.keys(phasesMs)))].sort(
    (a, b) => order.indexOf(a.split("+")[0]!) - order.indexOf(b.split("+")[0]!),
  );
  const time = timeUnit(shown.flatMap(({ phasesMs }) => Object.values(phasesMs)));
  return {
    caption: `The same by phase of the boot, ${settingText(point)}, in ${time.unit}`,
    columns: [
      { header: "lock", cells: shown.map(lockText), align: "left", code: true, whole: true },
      ...phases.map((phase) =>
        time.column(
          phase,
          shown.map(({ phasesMs }) => phasesMs[phase] ?? 0),
        ),
      ),
    ],
    empty: "",
  };
}

export function failureTable(failures: readonly BootFailure[]): Table {
  const shown = failures.slice(0, FAILURES_MAX);
  const left = failures.length - shown.length;
  return {
    caption: "Boots that did not get ready; they have no part in any time above",
    columns: [
      counts(
        "boots",
        shown.map(({ count }) => count),
      ),
      { header: "outcome", cells: shown.map(({ outcome }) => outcome), align: "left", whole: true },
      {
        header: "why",
        cells: shown.map(({ why = "" }) => why.slice(0, WHY_CHARS_MAX)),
        align: "left",
      },
      { header: "first", cells: shown.map(({ name }) => name), align: "left", optional: true },
    ],
    empty: "Every VM got ready.",
    note: left > 0 ? `${left} more kinds are not shown; --json has them.` : undefined,
  };
}

/** What the host did beside the boots. */
export function noiseTable(points: readonly BootPoint[]): Table {
  const pressures = points.map(({ load }) => load.cpuPressureShare);
  return {
    caption: "What the host did beside, means of the rounds of each point",
    columns: [
      ...settingColumns(points),
      shareColumn(
        "CPUs busy",
        points.map(({ load }) => load.cpuBusyShare),
      ),
      {
        header: "CPUs of others",
        cells: points.map(({ load }) => threeDigits(load.otherCpus)),
        align: "right",
      },
      shareColumn(
        "of the VMs' time",
        points.map(({ load }) => load.otherShare),
      ),
      ...(pressures.every((each) => each === undefined)
        ? []
        : [optional(shareColumn("CPU pressure", pressures))]),
      optional({
        header: "memory left",
        cells: points.map(({ load }) => formatBytes(load.memAvailableBytesLow)),
        align: "right",
      }),
    ],
    empty: "No round was measured.",
    note: "CPUs of others: kept busy by what is not one of the round's VMs, also as a share of the VMs' own CPU time. memory left: the least that was available.",
  };
}

/** The number of VMs, and what else differs among the rows. */
function settingColumns(rows: readonly BootSetting[]): readonly Column[] {
  const words = (header: string, of: (row: BootSetting) => string): Column[] => {
    const cells = rows.map(of);
    return new Set(cells).size > 1 ? [{ header, cells, align: "left" }] : [];
  };
  return [
    counts(
      "VMs",
      rows.map(({ vms }) => vms),
    ),
    ...words("kind", ({ kind }) => kind),
    ...words("pressure", ({ pressure }) => pressureText(pressure)),
    ...words("limit", ({ limit }) => limit),
  ];
}

/** `cpa_lock`; `zone->lock ×4` for four locks of that name. */
function lockText({ lock, lockCount }: BootLock): string {
  return lockCount > 1 ? `${lock.name} ×${lockCount}` : lock.name;
}

function counts(header: string, values: readonly number[]): Column {
  return { header, cells: countColumn(values), align: "right" };
}

/** One unit for a whole table, so that its columns can be compared too. */
function timeUnit(allMs: readonly (number | undefined)[]) {
  const largest = Math.max(0, ...allMs.map((ms = 0) => Math.abs(ms)));
  const isShort = largest > 0 && largest < 1;
  const [unit, size] = largest >= 1000 ? ["s", 1e3] : isShort ? ["µs", 1e-3] : ["ms", 1];
  const cell = (ms: number) =>
    (ms / size).toFixed(unit === "s" ? 2 : 1).replace(/^-(0\.0+)$/, "$1");
  const column = (header: string, ms: readonly (number | undefined)[]): Column => ({
    header,
    cells: ms.map((each) => (each === undefined ? "" : cell(each))),
    align: "right",
  });
  return { unit, cell, column };
}

function shareColumn(header: string, shares: readonly (number | undefined)[]): Column {
  const { unit, cells } = percentColumn(shares.map((share) => share ?? 0));
  return {
    header: `${header}, ${unit}`,
    cells: cells.map((cell, i) => (shares[i] === undefined ? "" : cell)),
    align: "right",
  };
}

/** A terminal without room leaves it out. */
function optional(column: Column): Column {
  return { ...column, optional: true };
}
