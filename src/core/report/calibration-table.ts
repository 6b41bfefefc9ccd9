import type { FittedCost, FittedHost, FittedPoint } from "../analyze/calibration-result.ts";
import type { FreedPoint } from "../analyze/free-sweep.ts";
import type { CostFile } from "../kernel/cost/cost-file.ts";
import { formatCount } from "../units.ts";
import { countColumn } from "./number-column.ts";
import type { Column, Table } from "./table.ts";

/** The costs that were fitted, with intervals; those the points do not tell are marked. */
export function costTable(calibration: FittedHost): Table {
  const rows = COSTS.map(([label, of]) => ({ label, cost: of(calibration) }));
  const ns = (header: string, of: (cost: FittedCost) => number): Column => ({
    header,
    cells: countColumn(rows.map(({ cost }) => of(cost))),
    align: "right",
  });
  return {
    caption: "Fitted costs of this host, with 95 % intervals",
    columns: [
      { header: "cost", cells: rows.map(({ label }) => label), align: "left", whole: true },
      ns("ns", (cost) => cost.ns),
      ns("low", (cost) => cost.low),
      ns("high", (cost) => cost.high),
      {
        header: "identified",
        cells: rows.map(({ cost }) => cost.identified),
        align: "left",
        whole: true,
      },
    ],
    empty: "Nothing was fitted.",
    note: "weakly: the points hardly change where this cost is another; take the interval, not the number.",
  };
}

const COSTS: readonly (readonly [label: string, of: (host: FittedHost) => FittedCost])[] = [
  ["lock hold and hand-off, a page", (host) => host.holdNs],
  ["outside the lock, a page", (host) => host.outsideNs],
  ["freeing a file, beside its pages", (host) => host.fileNs],
  ["TLB flush of all CPUs, sender", (host) => host.flushNs],
  ["fault of a plain 4 KiB page", (host) => host.faultNs],
];

/** Every point of the sweep: measured, fitted, and predicted by a fit that did not see it. */
export function sweepTable(points: readonly FreedPoint[], fitted: readonly FittedPoint[]): Table {
  const rows = points.map((point, i) => ({ ...point, ...fitted[i]! }));
  type Row = (typeof rows)[number];
  const count = (header: string, of: (row: Row) => number): Column => ({
    header,
    cells: countColumn(rows.map(of)),
    align: "right",
  });
  const interval = (row: Row) =>
    `${formatCount(row.measuredLow)} to ${formatCount(row.measuredHigh)}`;
  return {
    caption: "What a page took each process at every point of the sweep; all times in ns",
    columns: [
      count("processes", (row) => row.processes),
      count("pages/file", (row) => row.pagesPerFile),
      count("delay", (row) => row.delayNs),
      count("measured", (row) => row.measuredNs),
      { header: "95 % interval", cells: rows.map(interval), align: "right", optional: true },
      count("fitted", (row) => row.fittedNs),
      count("left out", (row) => row.leftOutNs),
      {
        header: "off, %",
        cells: rows.map((row) => signed((row.leftOutNs / row.measuredNs - 1) * 100)),
        align: "right",
      },
    ],
    empty: "No point was measured.",
    note: "left out: predicted by a fit that did not see this number of processes at this delay. off: that against measured.",
  };
}

/** `+3.1`, `-0.4`. */
function signed(value: number): string {
  return `${value < 0 ? "-" : "+"}${Math.abs(value).toFixed(1)}`;
}

/** What the file of costs replaces of the table it is based on. */
export function costFileTable({ costs, base }: CostFile): Table {
  const rows = Object.entries(costs);
  const ns = (header: string, of: (cost: (typeof rows)[number][1]) => number): Column => ({
    header,
    cells: countColumn(rows.map(([, cost]) => of(cost))),
    align: "right",
  });
  return {
    caption: `The costs in the file, in ns; all others stay those of ${base}`,
    columns: [
      {
        header: "cost",
        cells: rows.map(([key]) => key),
        align: "left",
        code: true,
        whole: true,
      },
      ns("ns", (cost) => cost.ns),
      ns("low", (cost) => cost.low),
      ns("high", (cost) => cost.high),
      { header: "source", cells: rows.map(([, cost]) => cost.source), align: "left" },
    ],
    empty: "None.",
  };
}
