import type { StormCurve, StormSeries } from "../analyze/storm-curve.ts";
import type { Distribution } from "../stats/distribution.ts";
import type { Curve } from "./curve.ts";
import { SERIES_COLOURS } from "./palette.ts";
import { xLabel } from "./storm-sentence.ts";
import { msText, seriesName, xText } from "./storm-words.ts";

/** How boot times are drawn. */
export interface StormView {
  /** `percent`: of the first point of each line. */
  readonly unit: "s" | "percent";
  /** `auto`: logarithmic where they spread far. */
  readonly scale: "auto" | "log";
}

/** Boot times over the x axis. */
export function bootCurve(curve: StormCurve, { unit, scale }: StormView): Curve {
  const series = curve.series.map((one, i) => ({
    name: seriesName(one),
    colour: SERIES_COLOURS[i % SERIES_COLOURS.length]!,
    points: one.points.map(({ x, point }) => ({
      x,
      y: scaled(point.bootMs, unit === "s" ? 1e-3 : 100 / firstMs(one)),
    })),
    perfect: false,
  }));
  return {
    title: `Boot time against ${xLabel(curve)}`,
    description: curve.series
      .map((one) => {
        const said = one.points.map(({ x, point }) => `${msText(point.bootMs.median)} at ${x}`);
        return `${seriesName(one)}: ${said.join(", ")}.`;
      })
      .join(" "),
    xLabel: xLabel(curve),
    yLabel: yLabel(curve, unit),
    ...(scale === "log" ? { scale } : {}),
    series,
    notes: [
      barsNote(curve.series.flatMap((one) => one.points.map(({ point }) => point.replications))),
    ],
  };
}

/** Median boot time of the first point of a line, in ms. */
export function firstMs({ points }: StormSeries): number {
  return points[0]!.point.bootMs.median;
}

/** What percents are of: `1 VM`, `background.rmpupdateThreads 0`. */
export function firstText(curve: StormCurve): string {
  const firsts = new Set(curve.series.map(({ points }) => points[0]!.x));
  return firsts.size === 1 ? xText(curve, [...firsts][0]!) : "the first point";
}

function yLabel(curve: StormCurve, unit: StormView["unit"]): string {
  return `median boot time, ${unit === "s" ? "s" : `% of that with ${firstText(curve)}`}`;
}

/** A distribution in another unit. */
export function scaled(ms: Distribution, factor: number): Distribution {
  const { n, ...rest } = ms;
  const each = Object.entries(rest).map(([key, value]) => [key, value * factor]);
  return { ...(Object.fromEntries(each) as Omit<Distribution, "n">), n };
}

/** What the error bars of simulated boot times mean. @param replications  of each point */
export function barsNote(replications: readonly number[]): string {
  const least = Math.min(...replications);
  const most = Math.max(...replications);
  const said = least === most ? `${most}` : `${least} to ${most}`;
  if (most === 1) return "One replication: no bars.";
  return least >= 6
    ? `Bars: 95 % interval of the median over ${said} replications.`
    : `Bars: smallest to largest median of ${said} replications, too few for a 95 % interval.`;
}
