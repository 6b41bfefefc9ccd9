import type { LegendEntry } from "./legend.ts";

/** Rows of bars over one time axis: parts of a time laid end to end, or what ran when. */
export interface Lanes {
  readonly title: string;
  readonly description: string;
  /** Follows the axis; the unit is added. */
  readonly axisLabel: string;
  /** What the bars stand for, in the order of the legend. */
  readonly kinds: readonly BarKind[];
  readonly lanes: readonly Lane[];
  readonly notes: readonly string[];
}

export interface BarKind extends LegendEntry {
  /** Stands for it where there are no colours; a lower-case letter. */
  readonly letter: string;
}

export interface Lane {
  readonly label: string;
  /** Behind the last bar. */
  readonly endNote?: string;
  /** Ascending, without overlap. */
  readonly bars: readonly Bar[];
  /** Where it ended badly. */
  readonly failedAtNs?: number;
}

export interface Bar {
  /** Index into `kinds`. */
  readonly kind: number;
  readonly fromNs: number;
  readonly toNs: number;
}

/** The end of the time axis: the last bar's, or the last mark's. */
export function lanesSpanNs({ lanes }: Lanes): number {
  const ends = lanes.flatMap(({ bars, failedAtNs = 0 }) => [
    failedAtNs,
    ...bars.map(({ toNs }) => toNs),
  ]);
  return Math.max(1, ...ends);
}

/** At most so many lanes, chosen evenly, and a note on how many are not drawn. */
export function thinned(lanes: Lanes, max: number): Lanes {
  const { length } = lanes.lanes;
  if (length <= max) return lanes;
  const kept = Array.from(
    { length: max },
    (_, i) => lanes.lanes[Math.round((i * (length - 1)) / (max - 1))]!,
  );
  const note = `${max} of ${length} are drawn, evenly chosen.`;
  return { ...lanes, lanes: kept, notes: [...lanes.notes, note] };
}

/** Bars end to end from 0; what is not above 0 takes no room. @param lengthsNs  by kind */
export function stackedBars(lengthsNs: readonly (number | undefined)[]): readonly Bar[] {
  let at = 0;
  return lengthsNs.flatMap((length = 0, kind) => {
    if (length <= 0) return [];
    const bar = { kind, fromNs: at, toNs: at + length };
    at = bar.toNs;
    return [bar];
  });
}
