import { asciiCanvas, brailleCanvas, type DotCanvas, drawLine } from "./braille.ts";
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
import { asciiOnly, cut, displayWidth, padEnd, padStart, visible, wrap } from "./plain-text.ts";
import { type Scale, tickLabel } from "./scale.ts";

export interface PlotSize {
  /** Columns and lines of the whole plot, axes and notes included; notes may add lines. */
  readonly width: number;
  readonly height: number;
  /** Draws with letters and signs only. */
  readonly ascii: boolean;
}

interface Glyphs {
  readonly markers: readonly string[];
  readonly axis: string;
  readonly tick: string;
  readonly corner: string;
  readonly base: string;
  readonly baseTick: string;
}

const UNICODE: Glyphs = {
  markers: ["●", "■", "◆", "▲"],
  axis: "│",
  tick: "┤",
  corner: "└",
  base: "─",
  baseTick: "┬",
};
const ASCII: Glyphs = {
  markers: ["o", "x", "#", "^"],
  axis: "|",
  tick: "+",
  corner: "+",
  base: "-",
  baseTick: "+",
};

/** Lines the plot area has at least, whatever height is asked for. */
const ROWS_MIN = 6;
/** Columns of a name at the end of its line: what `explore` calls the longest of its lines. */
const LABEL_WIDTH_MAX = 33;
/** A dashed line has one dot in so many. */
const DASHED_EVERY = 3;
/** Label above, axis, tick labels and axis label below. */
const ROWS_AROUND = 4;

/**
 * Curves as characters: points with error bars on a real y axis, labelled at their ends.
 * @returns lines without trailing spaces, none wider than `width` as long as that is at least 40
 */
export function terminalPlot(curve: Curve, { width, height, ascii }: PlotSize): string {
  const glyphs = ascii ? ASCII : UNICODE;
  const rows = Math.max(ROWS_MIN, height - ROWS_AROUND - curve.notes.length);
  const y = curveScale(curve, Math.max(2, Math.floor(rows / 2)));
  const xs = curveXs(curve);
  const yLabels = y.ticks.map(tickLabel);
  const left = Math.max(...yLabels.map(displayWidth)) + 1;
  const ends = curve.series.map((series, index) =>
    endLabel(series, glyphs.markers[index % 4]!, width),
  );
  const right = Math.max(0, ...ends.map((label) => displayWidth(label) + 1));
  const columns = Math.max(10, width - left - 1 - right);

  const canvas = ascii ? asciiCanvas(columns, rows) : brailleCanvas(columns, rows);
  const place = placement(canvas, curveXScale(curve), y);
  for (const series of curve.series) drawSeries(canvas, series, place, xs, y);
  const marks = markersAt(curve.series, canvas, place, glyphs, columns, rows);
  const endRows = endLabelRows(curve.series, place, canvas, rows);
  const tickRows = rowsOfTicks(y, rows);

  const lines = Array.from({ length: rows }, (_, row) => {
    const tick = tickRows.get(row);
    const axis = padStart(tick ?? "", left) + (tick === undefined ? glyphs.axis : glyphs.tick);
    let area = "";
    for (let column = 0; column < columns; column += 1) {
      area += marks.get(row * columns + column) ?? canvas.cell(column, row);
    }
    const label = endRows.flatMap((endRow, index) => (endRow === row ? [ends[index]!] : []));
    return `${axis}${area} ${label.join(" ")}`;
  });
  const gutter = " ".repeat(left);
  const [base, baseLabels] = xAxisLines(xs, (x) => columnOf(place(x, y.low).x, canvas, columns), {
    columns,
    glyphs,
  });
  const xLabel = padEnd("", Math.max(0, Math.floor((columns - displayWidth(curve.xLabel)) / 2)));
  const plot = [
    wrap(yAxisLabel(curve, y), width),
    ...lines,
    `${gutter}${glyphs.corner}${base}`,
    `${gutter} ${baseLabels}`,
    `${gutter} ${xLabel}${curve.xLabel}`,
    ...curve.notes.map((note) => wrap(note, width)),
  ]
    .map((line) => line.trimEnd())
    .join("\n");
  return ascii ? asciiOnly(plot) : plot;
}

type Place = (x: number, y: number) => { readonly x: number; readonly y: number };

/** From data to dots; the first and last x stand two cells off the ends. */
function placement(canvas: DotCanvas, x: Scale, y: Scale): Place {
  const inset = Math.round(canvas.width / 24);
  const across = canvas.width - 1 - 2 * inset;
  return (xValue, yValue) => ({
    x: inset + x.at(xValue) * across,
    y: (1 - Math.max(0, y.at(yValue))) * (canvas.height - 1),
  });
}

function drawSeries(
  canvas: DotCanvas,
  series: CurveSeries,
  place: Place,
  xs: readonly number[],
  y: Scale,
): void {
  const every = series.dashed ? DASHED_EVERY : 1;
  joined(joinOf(series), (a, b) => drawLine(canvas, place(a.x, a.y), place(b.x, b.y), every));
  for (const { x, y: value } of series.points) {
    drawLine(canvas, place(x, value.low), place(x, value.high));
  }
  const apart = Math.max(2, Math.round(canvas.width / 30));
  let travelled = 0;
  joined(perfectLine(series, xs.at(-1) ?? 1, y.high), (a, b) => {
    const [from, to] = [place(a.x, a.y), place(b.x, b.y)];
    travelled += Math.hypot(to.x - from.x, to.y - from.y);
    if (travelled < apart) return;
    travelled = 0;
    canvas.dot(Math.round(to.x), Math.round(to.y));
  });
}

function joined<T>(items: readonly T[], each: (a: T, b: T) => void): void {
  for (let index = 1; index < items.length; index += 1) each(items[index - 1]!, items[index]!);
}

/** Markers by cell (row × columns + column); they stand over the dots. */
function markersAt(
  series: readonly CurveSeries[],
  canvas: DotCanvas,
  place: Place,
  glyphs: Glyphs,
  columns: number,
  rows: number,
): ReadonlyMap<number, string> {
  const marks = new Map<number, string>();
  series.forEach(({ points }, index) => {
    for (const { x, y } of points) {
      const at = place(x, y.median);
      const row = Math.floor((Math.round(at.y) * rows) / canvas.height);
      marks.set(row * columns + columnOf(at.x, canvas, columns), glyphs.markers[index % 4]!);
    }
  });
  return marks;
}

function endLabelRows(
  series: readonly CurveSeries[],
  place: Place,
  canvas: DotCanvas,
  rows: number,
): readonly number[] {
  const wanted = series.map(({ points }) => {
    const end: CurvePoint = points.at(-1)!;
    return Math.floor((Math.round(place(end.x, end.y.median).y) * rows) / canvas.height);
  });
  return spreadLabels(wanted, 1, 0, rows - 1).map(Math.round);
}

function rowsOfTicks(y: Scale, rows: number): ReadonlyMap<number, string> {
  const labels = new Map<number, string>();
  for (const tick of y.ticks) {
    const row = Math.round((1 - y.at(tick)) * (rows - 1));
    if (!labels.has(row)) labels.set(row, `${tickLabel(tick)} `);
  }
  return labels;
}

function xAxisLines(
  xs: readonly number[],
  columnAt: (x: number) => number,
  { columns, glyphs }: { readonly columns: number; readonly glyphs: Glyphs },
): readonly [base: string, labels: string] {
  const base = Array.from({ length: columns }, () => glyphs.base);
  let labels = "";
  for (const x of xs) {
    const column = columnAt(x);
    base[column] = glyphs.baseTick;
    const label = String(x);
    const start = column - Math.floor((label.length - 1) / 2);
    if (labels === "" || start > labels.length) labels = padEnd(labels, start) + label;
  }
  return [base.join(""), labels];
}

function columnOf(dotX: number, canvas: DotCanvas, columns: number): number {
  return Math.floor((Math.round(dotX) * columns) / canvas.width);
}

function endLabel({ name, endNote }: CurveSeries, marker: string, width: number): string {
  const text = cut(visible(name), Math.min(LABEL_WIDTH_MAX, Math.floor(width * 0.42)));
  return endNote === undefined ? `${marker} ${text}` : `${marker} ${text} ${endNote}`;
}
