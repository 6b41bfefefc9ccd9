// Throughput against threads: one curve a load, on the largest guest.
import type { LoadPoint } from "../../analyze/kernel-ab/result.ts";
import { formatShort } from "../../units.ts";
import { type Curve, type CurveSeries, spreadNote } from "../curve.ts";
import { curveChart } from "../curve-chart.ts";
import { type Colour, SERIES_COLOURS } from "../palette.ts";
import { cut, visible } from "../plain-text.ts";
import type { Section } from "../report.ts";
import { figure } from "../sections.ts";
import { terminalPlot } from "../terminal-plot.ts";
import type { KernelAbReport } from "./input.ts";
import { armsInOrder, mainPlaces } from "./ranking.ts";
import { safetyOf } from "./safety.ts";
import { threads } from "./words.ts";

export function scalingSections(report: KernelAbReport): readonly Section[] {
  return mainPlaces(report.result).flatMap((place) => {
    const points = report.result.points.filter(
      ({ load, vcpus }) => load === place.load && vcpus === place.vcpus,
    );
    const measured = points.filter(({ arms }) => arms.some((each) => each !== undefined));
    if (measured.length < 2) return [];
    const curve = scalingCurve(report, measured);
    const id = `scaling-${place.load}`;
    return [
      {
        id,
        title: curve.title,
        html: figure((size) => curveChart(curve, size), id),
        text: ({ width, ascii }) => terminalPlot(curve, { width, height: 20, ascii }),
      },
    ];
  });
}

/** Longer names leave no room for the curve. */
const NAME_CHARS_MAX = 18;
/** That of what is not safe is kept for it. */
const UNSAFE_COLOUR = "vermillion";
const COLOURS = SERIES_COLOURS.filter((colour) => colour !== UNSAFE_COLOUR);

function colourOf(arm: number, unsafe: boolean): Colour {
  if (arm === 0) return "muted";
  return unsafe ? UNSAFE_COLOUR : COLOURS[arm % COLOURS.length]!;
}

function scalingCurve(report: KernelAbReport, points: readonly LoadPoint[]): Curve {
  const { arms } = report.result;
  const series = [0, ...armsInOrder(report)].flatMap((arm): CurveSeries[] => {
    const own = points.flatMap(({ arms: at, threads: x }) => {
      const y = at[arm]?.opsPerSecond;
      return y === undefined ? [] : [{ x, y }];
    });
    if (own.length === 0) return [];
    const unsafe = safetyOf(report.verdicts[arm] ?? []) === "unsafe";
    return [
      {
        name: `${unsafe ? "unsafe: " : ""}${cut(visible(arms[arm]!.name), NAME_CHARS_MAX)}`,
        colour: colourOf(arm, unsafe),
        dashed: unsafe,
        points: own,
        perfect: false,
      },
    ];
  });
  const { load, vcpus } = points[0]!;
  return {
    title: `${load} on ${vcpus} vCPUs: operations a second against threads`,
    description: series
      .map(
        ({ name, points: own }) =>
          `${name}: ${own.map(({ x, y }) => `${formatShort(y.median)} with ${threads(x)}`).join(", ")}.`,
      )
      .join(" "),
    xLabel: "threads",
    yLabel: "operations a second, all threads",
    series,
    notes: [
      spreadNote(series).replace(/rounds/, "boots"),
      ...(series.some(({ dashed }) => dashed) ? ["Dashed: not safe."] : []),
    ],
  };
}
