// Where the waiting went: a bar for each kernel under each load, and the numbers.
import { isSamePlace } from "../../analyze/kernel-ab/gains.ts";
import { waitNsOf } from "../../analyze/kernel-ab/lock-moves.ts";
import { joinOtherLocks, OTHER_LOCKS } from "../../analyze/kernel-ab/other-locks.ts";
import type { LockCount, LockPoint } from "../../analyze/kernel-ab/result.ts";
import { formatCount, formatNs } from "../../units.ts";
import { laneChart } from "../lane-chart.ts";
import { type BarKind, type Lanes, stackedBars } from "../lanes.ts";
import { element, group } from "../markup.ts";
import { nsColumn } from "../number-column.ts";
import { SERIES_COLOURS } from "../palette.ts";
import { visible, wrap } from "../plain-text.ts";
import { prose, proseMarkup, proseText } from "../prose.ts";
import type { Section } from "../report.ts";
import { figure } from "../sections.ts";
import { type Table, tableMarkup, tableText } from "../table.ts";
import { terminalLanes } from "../terminal-lanes.ts";
import type { KernelAbReport } from "./input.ts";
import { armsInOrder, mainPlaces } from "./ranking.ts";
import { LOAD_MEANING, placeText } from "./words.ts";

/** A kernel that counts is several times slower, and not in all locks alike. */
const ABOUT = prose`Times are those of kernels with lock statistics, which are several times slower: how they compare with each other tells, their length does not.`;

export function lockSections(whole: KernelAbReport): readonly Section[] {
  if (whole.result.locks.length === 0) return [];
  const locks = joinOtherLocks(whole.result.locks);
  const report = { ...whole, result: { ...whole.result, locks } };
  const pictures = placesOf(report)
    .filter(isWaited)
    .map((points) => lockLanes(report, points));
  const table = lockTable(report);
  return [
    {
      id: "locks",
      title: "Where the waiting went",
      html: group(
        ...pictures.flatMap((lanes, i) => [
          element("p", { class: "muted caption" }, lanes.title),
          figure((size) => laneChart(lanes, size), `locks-${i}`),
        ]),
        element("p", {}, proseMarkup(ABOUT)),
        tableMarkup(table),
      ),
      text: (size) =>
        [
          ...pictures.map(
            (lanes) => `${wrap(visible(lanes.title), size.width)}\n\n${terminalLanes(lanes, size)}`,
          ),
          wrap(proseText(ABOUT), size.width),
          tableText(table, size.width),
        ].join("\n\n"),
    },
  ];
}

/** Points with the most threads, of one load together, the base first. */
function placesOf(report: KernelAbReport): readonly (readonly LockPoint[])[] {
  const order = [0, ...armsInOrder(report)];
  const { locks } = report.result;
  return mainPlaces({ points: locks }).map((place) =>
    order.flatMap((arm) => locks.filter((point) => point.arm === arm && isSamePlace(point, place))),
  );
}

/** Where nobody waits in any kernel there is nothing to draw. */
function isWaited(points: readonly LockPoint[]): boolean {
  return points.some(({ locks }) => locks.some(({ waitNsTotal }) => waitNsTotal > 0));
}

function lockLanes(report: KernelAbReport, points: readonly LockPoint[]): Lanes {
  const kinds = lockKinds(report);
  const place = points[0]!;
  return {
    title: `${placeText(place)}: ${LOAD_MEANING[place.load]}`,
    description: points
      .map((point) => {
        const waits = kinds.map(({ name }) => `${formatNs(waitNsOf(point, name))} for ${name}`);
        return `${report.result.arms[point.arm]!.name} waits ${waits.join(", ")}.`;
      })
      .join(" "),
    axisLabel: "wait, average boot",
    kinds,
    lanes: points.map((point) => {
      const lengths = kinds.map(({ name }) => waitNsOf(point, name));
      const total = lengths.reduce((sum, each) => sum + each, 0);
      return {
        label: report.result.arms[point.arm]!.name,
        endNote: formatNs(total),
        bars: stackedBars(lengths),
      };
    }),
    notes: [],
  };
}

/** The same colour for the same lock in every picture. */
function lockKinds(report: KernelAbReport): readonly BarKind[] {
  const locks = placesOf(report).flat();
  const names = new Set(locks.flatMap((point) => point.locks.map(({ name }) => name)));
  const waited = [...names]
    .filter((name) => locks.some((point) => waitNsOf(point, name) > 0))
    .sort((a, b) => Number(a === OTHER_LOCKS) - Number(b === OTHER_LOCKS));
  const letters = lettersFor(waited);
  return waited.map((name, i) => ({
    name,
    letter: letters[i]!,
    colour: SERIES_COLOURS[i % SERIES_COLOURS.length]!,
    faint: i >= SERIES_COLOURS.length,
  }));
}

/** The first letter that no other one has; `cpa_lock` c, `cpa_pmd_lock` p, `pgd_lock` g. */
function lettersFor(names: readonly string[]): readonly string[] {
  const taken = new Set<string>();
  return names.map((name) => {
    const letter =
      [...name.toLowerCase(), ..."abcdefghijklmnopqrstuvwxyz"].find(
        (each) => /[a-z]/.test(each) && !taken.has(each),
      ) ?? "z";
    taken.add(letter);
    return letter;
  });
}

/** Without a lock: none was taken. */
interface LockRow {
  readonly point: LockPoint;
  readonly lock?: LockCount;
}

function lockTable(report: KernelAbReport): Table {
  const rows = placesOf(report).flatMap((points) =>
    points.flatMap((point): readonly LockRow[] =>
      point.locks.length === 0 ? [{ point }] : point.locks.map((lock) => ({ point, lock })),
    ),
  );
  const waits = nsColumn(rows.map(({ lock }) => lock?.waitNsTotal ?? 0));
  const whole = { align: "left", whole: true } as const;
  return {
    caption: "Locks that were taken, with the most threads, all boots of a kernel together",
    columns: [
      {
        header: "kernel",
        cells: rows.map(({ point }) => report.result.arms[point.arm]!.name),
        align: "left",
        code: true,
      },
      { header: "load", cells: rows.map(({ point }) => point.load), ...whole },
      { header: "lock", cells: rows.map(({ lock }) => lock?.name ?? "none"), code: true, ...whole },
      {
        header: `wait, ${waits.unit}`,
        cells: rows.map(({ lock }, i) => (lock === undefined ? "" : waits.cells[i]!)),
        align: "right",
      },
      {
        header: "contended",
        cells: rows.map(({ lock }) => (lock ? formatCount(lock.contended) : "")),
        align: "right",
      },
      {
        header: "acquired",
        cells: rows.map(({ lock }) => (lock ? formatCount(lock.acquired) : "")),
        align: "right",
      },
      {
        header: "waits in",
        cells: rows.map(({ lock }) => lock?.waiters[0]?.fn ?? ""),
        align: "left",
        code: true,
        optional: true,
      },
      {
        header: "boots",
        cells: rows.map(({ point }) => `${point.boots}`),
        align: "right",
        optional: true,
      },
    ],
    empty: "No lock was taken.",
    note: "others: locks that hardly anybody waits for, together. How often a lock is contended depends on how the host runs the vCPUs; the wait is the steadier number.",
  };
}
