import { formatCount, formatShort } from "../units.ts";
import {
  type Curve,
  type CurvePoint,
  type CurveSeries,
  curveScale,
  curveXScale,
  curveXs,
  joinOf,
  perfectLine,
  yAxisLabel,
} from "./curve.ts";
import { spreadLabels } from "./label-layout.ts";
import { element, type Markup } from "./markup.ts";
import { type Scale, tickLabel } from "./scale.ts";
import { type Drawing, svgLine, svgText, textWidth, wrapToWidth } from "./svg.ts";

/** Where data lands in the picture. */
interface Frame {
  readonly left: number;
  readonly right: number;
  readonly top: number;
  readonly bottom: number;
  x(value: number): number;
  y(value: number): number;
}

const LINE_HEIGHT = 17;
const LABEL_GAP = 12;
const DASHES = "7 5";
/** The first and last points stand off the ends of the axis. */
const INSET = 22;
/** Names that take more than this share of the width stand below the chart. */
const BESIDE_SHARE_MAX = 0.45;

/**
 * Curves with error bars, labelled at their ends, or below where their names are long.
 * @param size  in CSS pixels; text keeps its size, so a narrow chart is drawn narrow, not shrunk
 */
export function curveChart(
  curve: Curve,
  size: { readonly width: number; readonly height: number },
): Drawing {
  const notes = curve.notes.flatMap((note) => wrapToWidth(note, size.width));
  const below = endLabelWidth(curve.series) > size.width * BESIDE_SHARE_MAX ? curve.series : [];
  const beside = below.length === 0 ? curve.series : [];
  const height = size.height + (below.length + notes.length) * LINE_HEIGHT;
  const lineY = (line: number) => size.height + 8 + line * LINE_HEIGHT;
  const y = curveScale(curve, Math.max(3, Math.floor(size.height / 56)));
  const xs = curveXs(curve);
  const x = curveXScale(curve);
  const label = wrapToWidth(yAxisLabel(curve, y), size.width);
  const top = 30 + (label.length - 1) * LINE_HEIGHT;
  const frame = frameFor({ endWidth: endLabelWidth(beside), top }, size, x, y);
  return {
    width: size.width,
    height,
    title: curve.title,
    description: curve.description,
    body: [
      ...label.map((line, index) =>
        svgText(0, 13 + index * LINE_HEIGHT, line, { colour: "muted" }),
      ),
      ...yAxis(y, frame),
      ...xAxis(curve.xLabel, xs, frame),
      ...curve.series.flatMap((one) => perfect(one, x, y, frame)),
      ...curve.series.map((one, index) => seriesMarkup(one, index, frame)),
      ...endLabels(beside, frame),
      ...below.flatMap((one, index) => legendLine(one, index, lineY(index))),
      ...notes.map((note, index) =>
        svgText(0, lineY(below.length + index), note, { colour: "muted" }),
      ),
    ],
  };
}

/** What the names need at the ends of their lines. */
function endLabelWidth(series: readonly CurveSeries[]): number {
  return Math.max(0, ...series.map((one) => textWidth(endLabel(one)) + 6));
}

function frameFor(
  { endWidth, top }: { readonly endWidth: number; readonly top: number },
  size: { readonly width: number; readonly height: number },
  x: Scale,
  y: Scale,
): Frame {
  const tickWidth = Math.max(...y.ticks.map((tick) => textWidth(tickLabel(tick))));
  const left = Math.ceil(tickWidth) + 8;
  const right = size.width - Math.ceil(endWidth) - LABEL_GAP;
  const bottom = size.height - 50;
  const xSpan = right - INSET - (left + INSET);
  return {
    left,
    right,
    top,
    bottom,
    x: (value) => left + INSET + x.at(value) * xSpan,
    y: (value) => bottom - Math.max(0, y.at(value)) * (bottom - top),
  };
}

function yAxis(scale: Scale, frame: Frame): readonly Markup[] {
  return scale.ticks.flatMap((tick) => {
    const y = frame.y(tick);
    return [
      svgLine([frame.left, y, frame.right, y], "rule"),
      svgText(frame.left - 8, y + 4, tickLabel(tick), { colour: "muted", anchor: "end" }),
    ];
  });
}

function xAxis(label: string, xs: readonly number[], frame: Frame): readonly Markup[] {
  let free = Number.NEGATIVE_INFINITY;
  const ticks = xs.flatMap((value) => {
    const x = frame.x(value);
    const half = textWidth(String(value)) / 2 + 3;
    const mark = svgLine([x, frame.bottom, x, frame.bottom + 5], "muted");
    if (x - half < free) return [mark];
    free = x + half;
    return [mark, svgText(x, frame.bottom + 20, String(value), { anchor: "middle" })];
  });
  const middle = (frame.left + frame.right) / 2;
  return [
    svgLine([frame.left, frame.bottom, frame.right, frame.bottom], "muted"),
    ...ticks,
    svgText(middle, frame.bottom + 38, label, { colour: "muted", anchor: "middle" }),
  ];
}

function perfect(series: CurveSeries, x: Scale, y: Scale, frame: Frame): readonly Markup[] {
  const line = perfectLine(series, x.high, y.high);
  if (line.length === 0) return [];
  return [
    element("polyline", {
      points: line.map((point) => place(point.x, point.y, frame)).join(" "),
      class: `stroke-${series.colour}`,
      fill: "none",
      "stroke-width": 1.5,
      "stroke-linecap": "round",
      "stroke-dasharray": "0.1 5",
    }),
  ];
}

function seriesMarkup(series: CurveSeries, index: number, frame: Frame): Markup {
  const line = element("polyline", {
    points: joinOf(series)
      .map(({ x, y }) => place(x, y, frame))
      .join(" "),
    class: `stroke-${series.colour}`,
    fill: "none",
    "stroke-width": 2,
    "stroke-linejoin": "round",
    "stroke-dasharray": series.dashed ? DASHES : undefined,
  });
  const points = series.points.map((point) => pointMarkup(series, point, index, frame));
  return element("g", {}, line, points);
}

/** Error bar and marker, with the numbers for a mouse that rests on it. */
function pointMarkup(
  series: CurveSeries,
  { x, y }: CurvePoint,
  index: number,
  frame: Frame,
): Markup {
  const at = frame.x(x);
  const [low, high] = [frame.y(y.low), frame.y(y.high)];
  const bar = element("path", {
    d: [`M${px(at)} ${px(low)}V${px(high)}`, capAt(at, low), capAt(at, high)].join(""),
    class: `stroke-${series.colour}`,
    fill: "none",
    "stroke-width": 1.5,
  });
  const interval = `${formatShort(y.low)} to ${formatShort(y.high)}`;
  const numbers = `${series.name}, ${x}: ${formatShort(y.median)} (${interval}), ${formatCount(y.n)} values`;
  return element(
    "g",
    {},
    element("title", {}, numbers),
    bar,
    marker(index, at, frame.y(y.median), series.colour),
  );
}

function capAt(x: number, y: number): string {
  return `M${px(x - 4)} ${px(y)}h8`;
}

/** Shapes differ, so that a print without colour still tells the series apart. */
function marker(index: number, x: number, y: number, colour: CurveSeries["colour"]): Markup {
  const shape = `M${px(x)} ${px(y)}`;
  const path = [
    `${shape}m-4.5 0a4.5 4.5 0 1 0 9 0a4.5 4.5 0 1 0 -9 0z`,
    `${shape}m-4 -4h8v8h-8z`,
    `${shape}m0 -5.5l5.5 5.5l-5.5 5.5l-5.5 -5.5z`,
    `${shape}m0 -5.5l5.2 9.2h-10.4z`,
  ][index % 4]!;
  return element("path", { d: path, class: `fill-${colour} stroke-paper`, "stroke-width": 1.5 });
}

function endLabels(series: readonly CurveSeries[], frame: Frame): readonly Markup[] {
  const ends = series.map((one) => one.points.at(-1)!);
  const wanted = ends.map(({ y }) => frame.y(y.median));
  const places = spreadLabels(wanted, LINE_HEIGHT, frame.top, frame.bottom);
  return series.flatMap((one, index) => {
    const y = places[index]!;
    const moved = Math.abs(y - wanted[index]!) > 3;
    const from = frame.x(ends[index]!.x) + 8;
    const x = frame.right + LABEL_GAP - 4;
    const leader = svgLine([from, wanted[index]!, x - 3, y], one.colour, { "stroke-width": 0.75 });
    const name = element("tspan", { "font-weight": 600 }, one.name);
    const label = svgText(x, y + 4, [name, one.endNote && ` ${one.endNote}`], {
      colour: one.colour,
    });
    return moved ? [leader, label] : [label];
  });
}

/** A name below the chart, after the mark of its line. */
function legendLine(series: CurveSeries, index: number, y: number): readonly Markup[] {
  const { colour, dashed } = series;
  return [
    svgLine([0, y - 4, 24, y - 4], colour, {
      "stroke-width": 2,
      "stroke-dasharray": dashed ? DASHES : undefined,
    }),
    marker(index, 12, y - 4, colour),
    svgText(32, y, endLabel(series), { colour, bold: true }),
  ];
}

function endLabel(series: CurveSeries): string {
  return series.endNote === undefined ? series.name : `${series.name} ${series.endNote}`;
}

function place(x: number, y: number, frame: Frame): string {
  return `${px(frame.x(x))},${px(frame.y(y))}`;
}

/** A tenth of a pixel is finer than any screen shows, and the same on every machine. */
function px(value: number): number {
  return Math.round(value * 10) / 10;
}
