import type { PressureResult } from "../analyze/result.ts";
import { PHASES } from "./curve.ts";
import { countColumn, nsColumn } from "./number-column.ts";
import type { Table } from "./table.ts";

/** The numbers of the scaling curve. */
export function pressureTable({ phases }: PressureResult): Table {
  const rows = PHASES.flatMap((phase) =>
    phases
      .filter((one) => one.phase === phase)
      .flatMap((one) => one.points.map((point) => ({ phase, ...point }))),
  );
  const perPage = nsColumn(rows.map((row) => row.nsPerPage.median));
  const right = { align: "right" } as const;
  return {
    caption: "Medians of all rounds; low and high as the bars of the curve",
    columns: [
      { header: "phase", cells: rows.map((row) => row.phase), align: "left" },
      { header: "processes", cells: countColumn(rows.map((row) => row.processes)), ...right },
      {
        header: "pages/s",
        cells: countColumn(rows.map((row) => row.pagesPerSecond.median)),
        ...right,
      },
      { header: "low", cells: countColumn(rows.map((row) => row.pagesPerSecond.low)), ...right },
      { header: "high", cells: countColumn(rows.map((row) => row.pagesPerSecond.high)), ...right },
      { header: `a page takes, ${perPage.unit}`, cells: perPage.cells, ...right },
      { header: "rounds", cells: countColumn(rows.map((row) => row.pagesPerSecond.n)), ...right },
    ],
    empty: "No round was completed.",
  };
}
