import { type Distribution, distributionOf } from "../stats/distribution.ts";
import { threeDigits } from "../units.ts";
import { type Curve, type CurveSeries, spreadNote } from "./curve.ts";

/** One of the curves that stand beside the measured one. */
export interface ModelSeries<Point> {
  readonly name: string;
  readonly colour: CurveSeries["colour"];
  ns(point: Point): number;
}

/** What a page took each process, and what models say of it. */
export function modelCurve<Point extends { readonly measuredNs: Distribution }>(
  points: readonly Point[],
  models: readonly ModelSeries<Point>[],
  {
    title,
    xLabel,
    x,
  }: { readonly title: string; readonly xLabel: string; readonly x: (point: Point) => number },
): Curve {
  const measured: CurveSeries = {
    name: "measured",
    colour: "vermillion",
    points: points.map((point) => ({ x: x(point), y: inMicroseconds(point.measuredNs) })),
    perfect: false,
  };
  const modelled = models.map(({ name, colour, ns }) => ({
    name,
    colour,
    dashed: true,
    points: points.map((point) => ({ x: x(point), y: distributionOf([ns(point) / 1e3]) })),
    perfect: false,
  }));
  const said = points.map((point) => {
    const each = models.map(({ name, ns }) => `${name} ${us(ns(point))}`);
    return `${x(point)}: ${[`measured ${us(point.measuredNs.median)}`, ...each].join(", ")}`;
  });
  return {
    title,
    description: `${said.join("; ")}.`,
    xLabel,
    yLabel: "a page takes each process, µs",
    // Measured last: it stands above what only says the same.
    series: [...modelled, measured],
    notes: [spreadNote([measured])],
  };
}

function us(ns: number): string {
  return `${threeDigits(ns / 1e3)} µs`;
}

function inMicroseconds({ n, ...ns }: Distribution): Distribution {
  const scaled = Object.entries(ns).map(([key, value]) => [key, value / 1e3] as const);
  return { ...(Object.fromEntries(scaled) as Omit<Distribution, "n">), n };
}
