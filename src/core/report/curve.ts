import type { PressurePhaseName, PressureResult } from "../analyze/result.ts";
import type { Distribution } from "../stats/distribution.ts";
import { formatShort, threeDigits } from "../units.ts";
import type { Colour } from "./palette.ts";
import { countScale, linear, niceLinear, niceLog, type Scale, scaleFor } from "./scale.ts";
import { processes } from "./words.ts";

/** A quantity against a number of things at once, as charts and terminal plots draw it. */
export interface Curve {
  readonly title: string;
  readonly description: string;
  readonly xLabel: string;
  readonly yLabel: string;
  /** Absent: logarithmic where the values spread far. `linear` is for both axes, y from 0: then what
   * grows evenly is straight. */
  readonly scale?: "log" | "linear";
  readonly series: readonly CurveSeries[];
  /** What the error bars and the dotted lines mean. */
  readonly notes: readonly string[];
}

export interface CurveSeries {
  readonly name: string;
  /** Follows the name at the end of the line, such as `0.58×`. */
  readonly endNote?: string;
  readonly colour: Colour;
  readonly dashed?: boolean;
  readonly points: readonly CurvePoint[];
  /** Draws what the first point would become if the quantity grew with x. */
  readonly perfect: boolean;
  /** Corners of a fitted line, straight where the scale is `linear`; instead of one from point to point. */
  readonly fit?: readonly Place[];
}

export interface Place {
  readonly x: number;
  readonly y: number;
}

export interface CurvePoint {
  readonly x: number;
  readonly y: Distribution;
}

/** The phases in the order in which they are told. */
export const PHASES: readonly PressurePhaseName[] = ["free", "fill", "control"];

/** What each phase loads, for legends. */
export const PHASE_MEANING: Readonly<Record<PressurePhaseName, string>> = {
  free: "gives secret pages back, all processes together: one direct-map change a page, no flush",
  fill: "touches fresh secret pages: one direct-map change and one TLB flush on all CPUs a page",
  control: "touches plain memory: no direct-map change",
};

// Grey for the control: it is the measure of the others, not a finding.
const PHASE_COLOURS: Readonly<Record<PressurePhaseName, Colour>> = {
  free: "vermillion",
  fill: "blue",
  control: "muted",
};

/** Below this many values there is no 95 % interval of a median (see stats/distribution.ts). */
const INTERVAL_FROM_N = 6;

/** The scaling curve: pages per second of all processes together. */
export function pressureCurve(pressure: PressureResult): Curve {
  const series = PHASES.flatMap((phase): readonly CurveSeries[] => {
    const points = pressure.phases.find((one) => one.phase === phase)?.points ?? [];
    if (points.length === 0) return [];
    const scaling = pressure.scaling.find((one) => one.phase === phase);
    return [
      {
        name: phase,
        ...(scaling && points.length > 1 && { endNote: ratioText(scaling.ratio.value) }),
        colour: PHASE_COLOURS[phase],
        points: points.map(({ processes, pagesPerSecond }) => ({
          x: processes,
          y: pagesPerSecond,
        })),
        perfect: points.length > 1,
      },
    ];
  });
  return {
    title: "Pages per second against the number of processes",
    description: series.map(seriesInWords).join(" "),
    xLabel: "processes",
    yLabel: "pages per second, total",
    series,
    notes: [
      spreadNote(series),
      ...(series.some((one) => one.perfect) ? ["Dotted: perfect scaling from one process."] : []),
    ],
  };
}

/** `0.58×`, `12.3×`. */
export function ratioText(ratio: number): string {
  return `${threeDigits(ratio)}×`;
}

/** The y axis of a curve: it holds every point with its error bar. */
export function curveScale(curve: Curve, tickCount: number): Scale {
  const all = curve.series.flatMap((one) => one.points.map((point) => point.y));
  const low = Math.min(...all.map((y) => y.low));
  const high = Math.max(...all.map((y) => y.high));
  if (all.length === 0) return scaleFor(0, 1, tickCount);
  if (curve.scale === "linear") return niceLinear(0, high, tickCount);
  return curve.scale === "log" && low > 0
    ? niceLog(low, high, tickCount)
    : scaleFor(low, high, tickCount);
}

/** The x axis of a curve; its ticks are the x values that occur. */
export function curveXScale(curve: Curve): Scale {
  const xs = curveXs(curve);
  return curve.scale === "linear" ? linear(xs[0] ?? 1, xs.at(-1) ?? 1, xs) : countScale(xs);
}

/** What joins the points of a series: its fit, else a line from one to the next. */
export function joinOf({ fit, points }: CurveSeries): readonly Place[] {
  return fit ?? points.map(({ x, y }) => ({ x, y: y.median }));
}

/** The label of the y axis says when the axis is logarithmic. */
export function yAxisLabel(curve: Curve, scale: Scale): string {
  return scale.kind === "log" ? `${curve.yLabel} (log scale)` : curve.yLabel;
}

/** The x values that occur, ascending. */
export function curveXs(curve: Curve): readonly number[] {
  const xs = new Set(curve.series.flatMap((one) => one.points.map((point) => point.x)));
  return [...xs].sort((a, b) => a - b);
}

/**
 * The dotted line from a series' first point: y grows as x does, up to the top of the axis.
 * Many short pieces, because it is straight only where both axes are of one kind.
 */
export function perfectLine(series: CurveSeries, xHigh: number, yHigh: number): readonly Place[] {
  const first = series.points[0];
  if (first === undefined || !series.perfect || first.y.median <= 0) return [];
  const end = Math.min(xHigh, (first.x * yHigh) / first.y.median);
  if (end <= first.x) return [];
  const pieces = 48;
  return Array.from({ length: pieces + 1 }, (_, index) => {
    const x = first.x + ((end - first.x) * index) / pieces;
    return { x, y: (first.y.median * x) / first.x };
  });
}

/** What the error bars mean. */
export function spreadNote(series: readonly CurveSeries[]): string {
  const counts = series.flatMap((one) => one.points.map((point) => point.y.n));
  const least = Math.min(...counts);
  const most = Math.max(...counts);
  const rounds = least === most ? `${most} rounds` : `${least} to ${most} rounds`;
  return least >= INTERVAL_FROM_N
    ? `Bars: 95 % interval of the median of ${rounds}.`
    : `Bars: smallest to largest of ${rounds}, too few for a 95 % interval.`;
}

function seriesInWords(series: CurveSeries): string {
  const points = series.points.map(({ x, y }) => `${formatShort(y.median)} with ${processes(x)}`);
  return `${series.name}: ${points.join(", ")}.`;
}
