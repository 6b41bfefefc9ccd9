// The plot of a gain: one logarithmic axis for all rows and loads, a dot, its interval and a ring.
import type { GainRange } from "../../../analyze/kernel-ab/gains.ts";
import type { LoadPlace } from "../../../analyze/kernel-ab/result.ts";
import { threeDigits } from "../../../units.ts";
import { element, type Markup } from "../../markup.ts";
import type { Colour } from "../../palette.ts";
import { logarithmic, niceLog, type Scale, tickLabel } from "../../scale.ts";
import { svgLine, svgText, textWidth } from "../../svg.ts";
import type { KernelAbReport } from "../input.ts";
import { armsInOrder, gainAt } from "../ranking.ts";
import { gainText, notMeasured } from "../words.ts";

/** One for all loads, so that they can be compared; the base is at 1. */
export function scaleOf(report: KernelAbReport, places: readonly LoadPlace[]): Scale {
  const values = places.flatMap((place) =>
    armsInOrder(report).flatMap((arm) => {
      const { measured, predicted } = gainAt(report, arm, place) ?? {};
      return [measured, predicted].flatMap((range) =>
        range === undefined ? [] : [range.value, range.low ?? 1, range.high ?? 1],
      );
    }),
  );
  const low = Math.min(SHOWN_LEAST.low, ...values.filter((value) => value > 0)) / MARGIN;
  const high = Math.max(SHOWN_LEAST.high, ...values) * MARGIN;
  const { ticks } = niceLog(low, high, TICKS_MAX);
  return logarithmic(
    low,
    high,
    ticks.filter((tick) => tick >= low && tick <= high),
  );
}

/** A small gain should look small. */
const SHOWN_LEAST = { low: 0.8, high: 2 };
/** Beyond the outermost number, so that its dot is whole. */
const MARGIN = 1.12;
const TICKS_MAX = 8;

export interface Panel {
  readonly x: number;
  readonly width: number;
}

/** Vertical lines at the ticks, that of the base heavier, and their labels below. */
export function grid(
  scale: Scale,
  { x, width, top, bottom }: Panel & { readonly top: number; readonly bottom: number },
): readonly Markup[] {
  return scale.ticks.flatMap((tick) => {
    const at = x + scale.at(tick) * width;
    const label = `${tickLabel(tick)}×`;
    const fits = at + textWidth(label) / 2 <= x + width;
    return [
      svgLine([at, top, at, bottom], tick === 1 ? "muted" : "rule"),
      ...(fits ? [svgText(at, bottom + 15, label, { colour: "muted", anchor: "middle" })] : []),
    ];
  });
}

/** A dot with its interval, and a ring where it was predicted. */
export function gainMarkup(
  report: KernelAbReport,
  arm: number,
  place: LoadPlace,
  { scale, x, width, y }: Panel & { readonly scale: Scale; readonly y: number },
): readonly Markup[] {
  const { measured, predicted } = gainAt(report, arm, place) ?? {};
  const at = (value: number) => x + Math.min(1, Math.max(0, scale.at(value))) * width;
  const dotY = y + 8;
  const colour: Colour =
    measured?.verdict === "faster" || measured?.verdict === "slower" ? "blue" : "muted";
  const label =
    measured === undefined ? notMeasured(report, arm, place) : `${threeDigits(measured.value)}×`;
  const half = textWidth(label) / 2;
  const wanted = measured === undefined ? x + width / 2 : at(measured.value);
  const labelX = Math.min(x + width - half, Math.max(x + half, wanted));
  return [
    ...(measured === undefined ? [] : [intervalLine(measured, { at, dotY, colour, scale })]),
    ...(predicted === undefined
      ? []
      : [
          element(
            "circle",
            {
              cx: at(predicted.value),
              cy: dotY,
              r: 7,
              class: "stroke-ink",
              fill: "none",
              "stroke-width": 1.5,
            },
            element("title", {}, `predicted ${gainText(predicted)}`),
          ),
        ]),
    ...(measured === undefined
      ? []
      : [
          element(
            "circle",
            { cx: at(measured.value), cy: dotY, r: 4.5, class: `fill-${colour}` },
            element("title", {}, `measured ${gainText(measured)}`),
          ),
        ]),
    // Paper behind the label, so that no line of the axis strikes it through.
    element("rect", {
      class: "fill-paper",
      x: labelX - half,
      y: y - 18,
      width: 2 * half,
      height: 15,
    }),
    svgText(labelX, y - 6, label, { anchor: "middle", colour: measured ? "ink" : "muted" }),
  ];
}

/** An interval without an end goes to that of the axis, dashed. */
function intervalLine(
  { low, high }: GainRange,
  {
    at,
    dotY,
    colour,
    scale,
  }: {
    readonly at: (value: number) => number;
    readonly dotY: number;
    readonly colour: Colour;
    readonly scale: Scale;
  },
): Markup {
  const open = low === undefined || high === undefined;
  return svgLine([at(low ?? scale.low), dotY, at(high ?? scale.high), dotY], colour, {
    "stroke-width": open ? 1 : 3,
    "stroke-dasharray": open ? "4 4" : undefined,
    "stroke-opacity": 0.6,
  });
}
