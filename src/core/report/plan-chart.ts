// A plan's two pictures: what the host serves by boots in service, and how long boots take by rate.
import type { Plan, PlannedRate } from "../plan/plan.ts";
import type { Planned } from "../plan/planned.ts";
import type { Distribution } from "../stats/distribution.ts";
import { threeDigits } from "../units.ts";
import type { Curve, CurvePoint, CurveSeries } from "./curve.ts";
import { rateUnit } from "./plan-words.ts";

const RANGE_NOTE = "Bars: lowest to highest of the replications and of the range of the costs.";

/** Throughput against boots in service, with its bound and the knee. */
export function serviceCurve({ service, knee, perSecond }: Plan): Curve {
  const unit = rateUnit(perSecond.value);
  const points = service.map(({ boots, perSecond: served }) =>
    pointAt(boots, served, unit.seconds),
  );
  const bound = service.map(({ boots, boundPerSecond: most }) =>
    pointAt(boots, exactly(most), unit.seconds),
  );
  return {
    title: "Throughput against boots in service",
    description: service
      .map(({ boots, perSecond: { value } }) => `${boots}: ${threeDigits(value * unit.seconds)}`)
      .join(", "),
    xLabel: "boots in service",
    yLabel: `boots a ${unit.name}`,
    scale: "linear",
    series: [
      { name: "bound", colour: "muted", dashed: true, points: bound, perfect: false },
      { name: "simulated", colour: "blue", points, perfect: false },
      {
        name: "knee",
        endNote: String(knee.value),
        colour: "vermillion",
        points: [pointAt(knee.value, perSecond, unit.seconds)],
        perfect: false,
      },
    ],
    notes: [
      "Bound: at these costs no order of events ends boots faster, by one boot alone.",
      "Knee: the fewest boots in service within 5 % of the best.",
      RANGE_NOTE,
    ],
  };
}

/** p99 against the rate of requests, with the target; where it is far exceeded the lines end. */
export function rateCurve({ rates, target, perSecond }: Plan): Curve {
  const unit = rateUnit(perSecond.value);
  const series = rates.map(
    (rate, i): CurveSeries => ({
      name: rate.arrivals === "poisson" ? "at random" : "evenly",
      colour: i === 0 ? "blue" : "green",
      points: drawn(rate, target.p99Ms).map((point) => ({
        x: rounded(point.perSecond * unit.seconds),
        y: distribution(point.p99Ms, 1e-3),
      })),
      perfect: false,
    }),
  );
  const xs = series.flatMap(({ points }) => points.map(({ x }) => x));
  const line = [Math.min(...xs), Math.max(...xs)].map((x) => ({
    x,
    y: distribution(exactly(target.p99Ms), 1e-3),
  }));
  return {
    title: "p99 against the rate of requests",
    description: series
      .map(
        ({ name, points }) =>
          `${name}: ${points.map(({ x, y }) => `${x}: ${threeDigits(y.median)} s`).join(", ")}.`,
      )
      .join(" "),
    xLabel: `requests a ${unit.name}`,
    yLabel: "p99 from request to ready, s",
    scale: "linear",
    series: [
      ...series,
      { name: "target", colour: "vermillion", dashed: true, points: line, perfect: false },
    ],
    notes: [
      "Simulated with the planned cap; requests come at random (Poisson) or evenly spaced.",
      "Bars: lowest to highest replication.",
    ],
  };
}

/** Beyond this many targets a line says no more than that it is too much. */
const TARGETS_DRAWN = 3;

function drawn({ points }: PlannedRate, targetMs: number): PlannedRate["points"] {
  const near = points.filter(({ p99Ms }) => p99Ms.value <= TARGETS_DRAWN * targetMs);
  return near.length > 0 ? near : points.slice(0, 1);
}

function pointAt(x: number, y: Planned, scale: number): CurvePoint {
  return { x, y: distribution(y, scale) };
}

function exactly(value: number): Planned {
  return { value, low: value, high: value };
}

/** A chart draws the median and the interval alone. */
function distribution({ value, low, high }: Planned, scale: number): Distribution {
  const median = value * scale;
  return {
    ...{ median, mean: median, p95: median, max: median },
    ...{ low: low * scale, high: high * scale, n: 1 },
  };
}

/** The ticks are the values themselves. */
function rounded(value: number): number {
  return Number(value.toPrecision(3));
}
