import { formatNs } from "../units.ts";
import { type Bar, type Lane, type Lanes, lanesSpanNs, thinned } from "./lanes.ts";
import { fillOf, legendMarkup } from "./legend.ts";
import { element, type Markup } from "./markup.ts";
import { cut, visible } from "./plain-text.ts";
import { type Drawing, svgText, textWidth, wrapToWidth } from "./svg.ts";
import { TIME_AXIS_HEIGHT, timeAxis } from "./time-axis.ts";

/** More are too thin to be told apart. */
const LANES_MAX = 64;
/** From so many lanes on they are thin, and only every other few has its label. */
const THIN_FROM = 20;
const LANE_HEIGHT = 26;
const THIN_HEIGHT = 10;
const NOTE_LINE = 17;
const LABEL_CHARS_MAX = 18;
/** A bar is never invisible. */
const BAR_WIDTH_MIN = 0.8;

/**
 * Lanes as horizontal bars with a legend.
 * @param size  width in CSS pixels; the height follows from the number of lanes
 */
export function laneChart(lanes: Lanes, { width }: { readonly width: number }): Drawing {
  const shown = thinned(lanes, LANES_MAX);
  const isThin = shown.lanes.length >= THIN_FROM;
  const laneHeight = isThin ? THIN_HEIGHT : LANE_HEIGHT;
  const every = isThin ? Math.ceil(NOTE_LINE / THIN_HEIGHT) : 1;
  const labels = shown.lanes.map(({ label }) => cut(visible(label), LABEL_CHARS_MAX));
  const legend = legendMarkup(shown.kinds, width);
  const left = Math.max(0, ...labels.map(textWidth)) + 10;
  const notesWidth = Math.max(0, ...shown.lanes.map(({ endNote = "" }) => textWidth(endNote)));
  const right = width - Math.max(14, notesWidth + 10);
  const spanNs = lanesSpanNs(shown);
  const x = (ns: number) => left + (ns / spanNs) * (right - left);
  const top = legend.height + 6;
  const bottom = top + shown.lanes.length * laneHeight;
  const notes = shown.notes.flatMap((note) => wrapToWidth(note, width));
  return {
    width,
    height: bottom + 4 + TIME_AXIS_HEIGHT + notes.length * NOTE_LINE,
    title: lanes.title,
    description: lanes.description,
    body: [
      ...legend.body,
      ...shown.lanes.flatMap((lane, index) =>
        laneMarkup(lane, shown, {
          x,
          y: top + index * laneHeight,
          height: laneHeight,
          left,
          right,
          label: index % every === 0 ? labels[index]! : "",
        }),
      ),
      ...timeAxis(spanNs, lanes.axisLabel, { x, left, right, y: bottom + 4 }),
      ...notes.map((note, index) =>
        svgText(0, bottom + 4 + TIME_AXIS_HEIGHT + 12 + index * NOTE_LINE, note, {
          colour: "muted",
        }),
      ),
    ],
  };
}

interface LaneBox {
  x(ns: number): number;
  readonly y: number;
  readonly height: number;
  readonly left: number;
  readonly right: number;
  readonly label: string;
}

function laneMarkup(lane: Lane, { kinds }: Lanes, box: LaneBox): readonly Markup[] {
  const { x, y, height, left, right, label } = box;
  const gap = height >= LANE_HEIGHT ? 3 : 1;
  const middle = y + height / 2;
  const end = Math.max(0, ...lane.bars.map(({ toNs }) => toNs));
  const bar = ({ kind, fromNs, toNs }: Bar) =>
    element(
      "rect",
      {
        ...fillOf(kinds[kind]!),
        x: x(fromNs),
        y: y + gap,
        width: Math.max(BAR_WIDTH_MIN, x(toNs) - x(fromNs)),
        height: height - 2 * gap,
      },
      element("title", {}, `${lane.label}: ${kinds[kind]!.name} ${formatNs(toNs - fromNs)}`),
    );
  const place = { x: left, y: y + 1, width: right - left, height: height - 2 };
  return [
    element("rect", { class: "fill-shade", ...place }),
    ...(label === ""
      ? []
      : [svgText(left - 10, middle + 4, label, { colour: "muted", anchor: "end" })]),
    ...lane.bars.map(bar),
    ...(lane.failedAtNs === undefined ? [] : [cross(x(lane.failedAtNs), middle, height)]),
    ...(lane.endNote === undefined ? [] : [svgText(x(end) + 6, middle + 4, lane.endNote)]),
  ];
}

function cross(x: number, y: number, laneHeight: number): Markup {
  const arm = Math.min(5, laneHeight / 2 - 1);
  const at = `M${Math.round((x - arm) * 10) / 10} ${y - arm}`;
  return element("path", {
    d: `${at}l${2 * arm} ${2 * arm}m0 ${-2 * arm}l${-2 * arm} ${2 * arm}`,
    class: "stroke-ink",
    fill: "none",
    "stroke-width": 2,
  });
}
