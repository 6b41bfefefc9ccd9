import type { StormCurve } from "../analyze/storm-curve.ts";
import type { Distribution } from "../stats/distribution.ts";
import type { Curve } from "./curve.ts";
import { SERIES_COLOURS } from "./palette.ts";
import { xLabel } from "./storm-sentence.ts";
import { msText, seriesName } from "./storm-words.ts";

/** Boot times over the x axis, in seconds. */
export function bootCurve(curve: StormCurve): Curve {
  const series = curve.series.map((one, i) => ({
    name: seriesName(one),
    colour: SERIES_COLOURS[i % SERIES_COLOURS.length]!,
    points: one.points.map(({ x, point }) => ({ x, y: inSeconds(point.bootMs) })),
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
    yLabel: "boot time, s, median of all VMs",
    series,
    notes: [spreadNote(curve)],
  };
}

function inSeconds(ms: Distribution): Distribution {
  const { n, ...rest } = ms;
  const scaled = Object.fromEntries(Object.entries(rest).map(([key, value]) => [key, value / 1e3]));
  return { ...(scaled as Omit<Distribution, "n">), n };
}

function spreadNote({ series }: StormCurve): string {
  const counts = series.flatMap((one) => one.points.map(({ point }) => point.replications));
  const least = Math.min(...counts);
  const most = Math.max(...counts);
  const said = least === most ? `${most}` : `${least} to ${most}`;
  if (most === 1) return "One replication: no bars.";
  return least >= 6
    ? `Bars: 95 % interval of the median over ${said} replications.`
    : `Bars: smallest to largest median of ${said} replications, too few for a 95 % interval.`;
}
