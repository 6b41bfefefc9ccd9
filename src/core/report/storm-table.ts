import type { StormCurve } from "../analyze/storm-curve.ts";
import type { StormLock, StormPoint } from "../analyze/storm-point.ts";
import { formatCount } from "../units.ts";
import { countColumn, nsColumn, percentColumn } from "./number-column.ts";
import { firstMs, firstText } from "./storm-chart.ts";
import { isVmCount, shortPath } from "./storm-words.ts";
import type { Column, Table } from "./table.ts";

/**
 * One row for each point: boot times, what theory says, what is to blame.
 * @param relative  adds the median in percent of the first point of its line
 */
export function pointTable(points: readonly StormPoint[], relative?: StormCurve): Table {
  const ms = (header: string, of: (point: StormPoint) => number) =>
    msColumn(header, points.map(of));
  const countIsSwept = points[0]!.fields.some((field) => isVmCount(field.path));
  const bars = [
    optional(ms("low", (point) => point.bootMs.low)),
    optional(ms("high", (point) => point.bootMs.high)),
  ];
  return {
    caption: "Boot times of all VMs from request to ready, each point",
    columns: [
      ...fieldColumns(points),
      ...(countIsSwept ? [] : [counts("VMs", (point) => point.vms, points)]),
      ms("median", (point) => point.bootMs.median),
      ...(relative === undefined ? [] : [relativeColumn(points, relative)]),
      lockColumn(
        "waits most for",
        points.map((point) => point.bottleneck?.name ?? "nothing"),
      ),
      shares(
        "share",
        points.map((point) => point.bottleneck?.shareOfBoot ?? 0),
      ),
      ...(points.some((point) => point.heldBackMs > 0)
        ? [ms("held back", (point) => point.heldBackMs)]
        : []),
      optional(ms("all ready", (point) => point.makespanMs)),
      optional(ms("bound", (point) => point.bound.makespanMs)),
      ...(points.some((point) => point.replications > 1) ? bars : []),
      optional(ms("p95", (point) => point.bootMs.p95)),
    ],
    empty: "No point was simulated.",
    note: "share: of the boot time. all ready: from the first request to the last VM; bound: theory says that it cannot be earlier.",
  };
}

/** Every lock of some points: who waits, who holds, how busy it is. */
export function lockTable(points: readonly StormPoint[], caption: string): Table {
  const rows = points.flatMap((point) => point.locks.map((lock) => ({ point, lock })));
  const each = (of: (lock: StormLock) => number) => rows.map(({ lock }) => of(lock));
  return {
    caption,
    columns: [
      ...fieldColumns(rows.map(({ point }) => point)),
      lockColumn(
        "lock",
        rows.map(({ lock }) => lock.name),
      ),
      shares(
        "of boot",
        each((lock) => lock.shareOfBoot),
      ),
      shares(
        "in use",
        each((lock) => lock.utilisation),
      ),
      optional(
        msColumn(
          "waited",
          each((lock) => lock.waitMs),
        ),
      ),
      optional(
        msColumn(
          "held",
          each((lock) => lock.holdMs),
        ),
      ),
    ],
    empty: "No lock was taken.",
    note: "of boot: share of the VMs' boot times that they waited for it. in use: share of the time until all are ready, per-PMD locks all together. waited, held: by all VMs and background threads together.",
  };
}

/** The points at which the curve's lines end. */
export function lastPoints({ series }: StormCurve): readonly StormPoint[] {
  return series.map(({ points }) => points.at(-1)!.point);
}

/** One column for each swept field. */
function fieldColumns(points: readonly StormPoint[]): readonly Column[] {
  return (points[0]?.fields ?? []).map(({ path }, i) => {
    const fields = points.map((point) => point.fields[i]!);
    const numeric = fields.every(({ value }) => typeof value === "number");
    return {
      header: shortPath(path),
      cells: fields.map(({ value, label }) =>
        typeof value === "number" && Number.isInteger(value) ? formatCount(value) : label,
      ),
      align: numeric ? ("right" as const) : ("left" as const),
      whole: true,
      code: fields.every(({ value }) => typeof value === "string"),
    };
  });
}

function relativeColumn(points: readonly StormPoint[], curve: StormCurve): Column {
  const line = (point: StormPoint) =>
    curve.series.find((series) => series.points.some((each) => each.point === point))!;
  const { unit, cells } = percentColumn(
    points.map((point) => point.bootMs.median / firstMs(line(point))),
  );
  return { header: `of ${firstText(curve)}, ${unit}`, cells, align: "right" };
}

/** A terminal without room leaves it out. */
function optional(column: Column): Column {
  return { ...column, optional: true };
}

function counts(header: string, of: (point: StormPoint) => number, points: readonly StormPoint[]) {
  return { header, cells: countColumn(points.map(of)), align: "right" } as const;
}

function lockColumn(header: string, cells: readonly string[]): Column {
  return { header, cells, align: "left", code: true, whole: true };
}

function msColumn(header: string, ms: readonly number[]): Column {
  const { unit, cells } = nsColumn(ms.map((each) => each * 1e6));
  return { header: `${header}, ${unit}`, cells, align: "right" };
}

function shares(header: string, of: readonly number[]): Column {
  const { unit, cells } = percentColumn(of);
  return { header: `${header}, ${unit}`, cells, align: "right", bars: of };
}
