import type { WaitLane, WaitTimeline } from "../analyze/result.ts";
import { formatCount, formatNs } from "../units.ts";
import { element, type Markup } from "./markup.ts";
import { type Colour, SERIES_COLOURS } from "./palette.ts";
import { cut, visible } from "./plain-text.ts";
import { niceLinear } from "./scale.ts";
import { type Drawing, svgLine, svgText, textWidth, wrapToWidth } from "./svg.ts";

type Wait = WaitLane["waits"][number];

/** A bar keeps this width however short the wait, so that none is invisible. */
const BAR_WIDTH_MIN = 1.2;
const ROW_GAP = 1;
const LEGEND_LINE = 20;
const NOTE_LINE = 17;
/** Waits that overlap on one CPU (sleepers) are drawn below each other, up to this many. */
const ROWS_MAX = 4;

/**
 * Who waited where and when: a lane for each CPU, a bar for each wait, its colour the lock.
 * @param size  width in CSS pixels; the height follows from the number of CPUs
 */
export function timelineChart(timeline: WaitTimeline, size: { readonly width: number }): Drawing {
  const { width } = size;
  const legend = legendMarkup(timeline, width);
  const left = Math.max(...timeline.lanes.map((lane) => textWidth(laneName(lane))), 0) + 10;
  const right = width - 14;
  const x = (ns: number) => left + (ns / (timeline.spanNs || 1)) * (right - left);
  const laneHeight = timeline.lanes.length > 16 ? 14 : 26;

  const lanes: Markup[] = [];
  let y = legend.height + 6;
  for (const lane of timeline.lanes) {
    const rows = stacked(lane.waits);
    const rowHeight = Math.max(5, Math.floor((laneHeight - 6) / rows.length));
    const height = rowHeight * rows.length + 6;
    lanes.push(
      svgText(left - 10, y + height / 2 + 4, laneName(lane), { colour: "muted", anchor: "end" }),
      element("rect", {
        class: "fill-shade",
        x: left,
        y: y + 1,
        width: right - left,
        height: height - 2,
      }),
      ...rows.flatMap((row, index) =>
        row.map((wait) =>
          waitBar(wait, timeline, { x, right, y: y + 3 + index * rowHeight, height: rowHeight }),
        ),
      ),
    );
    y += height;
  }
  const axis = timeAxis(timeline.spanNs, { x, left, right, y: y + 4 });
  const notes = wrapToWidth(leftOutNote(timeline), width);
  return {
    width,
    height: y + 50 + notes.length * NOTE_LINE,
    title: `Waits for locks on each CPU during ${formatNs(timeline.spanNs)}`,
    description: describe(timeline),
    body: [
      ...legend.body,
      ...lanes,
      ...axis,
      ...notes.map((note, index) =>
        svgText(0, y + 61 + index * NOTE_LINE, note, { colour: "muted" }),
      ),
    ],
  };
}

/** Puts waits that overlap into different rows; the last row takes what is over. */
export function stacked(waits: readonly Wait[]): readonly (readonly Wait[])[] {
  const rows: Wait[][] = [[]];
  const ends: number[] = [Number.NEGATIVE_INFINITY];
  for (const wait of [...waits].sort((a, b) => a.tNs - b.tNs)) {
    let row = ends.findIndex((end) => end <= wait.tNs);
    if (row < 0) row = rows.length < ROWS_MAX ? rows.length : ROWS_MAX - 1;
    rows[row] ??= [];
    rows[row]!.push(wait);
    ends[row] = Math.max(ends[row] ?? 0, wait.tNs + wait.waitNs);
  }
  return rows;
}

function waitBar(
  wait: Wait,
  timeline: WaitTimeline,
  box: { x(ns: number): number; right: number; y: number; height: number },
): Markup {
  const from = Math.max(box.x(0), box.x(wait.tNs));
  const to = Math.min(box.right, Math.max(from + BAR_WIDTH_MIN, box.x(wait.tNs + wait.waitNs)));
  const name = timeline.locks[wait.lock]?.name ?? "unknown lock";
  const numbers = `${name}: waited ${formatNs(wait.waitNs)} from ${formatNs(wait.tNs)} on`;
  return element(
    "rect",
    {
      class: `fill-${lockColour(wait.lock)}`,
      x: from,
      y: box.y,
      width: Math.max(0, to - from),
      height: box.height - ROW_GAP,
    },
    element("title", {}, numbers),
  );
}

/** The locks with the most wait have a colour of their own; the rest share grey. */
function lockColour(lock: number): Colour {
  return SERIES_COLOURS[lock] ?? "muted";
}

function legendMarkup(
  timeline: WaitTimeline,
  width: number,
): { readonly body: readonly Markup[]; readonly height: number } {
  const longest = Math.floor((width - 34) / textWidth("0"));
  const named = timeline.locks
    .slice(0, SERIES_COLOURS.length)
    .map((lock) => cut(visible(lock.name), longest));
  const others = timeline.locks.length - named.length;
  const entries =
    others > 0 ? [...named, `${others} other ${others === 1 ? "lock" : "locks"}`] : named;
  const body: Markup[] = [];
  let x = 0;
  let y = 14;
  entries.forEach((name, index) => {
    const entryWidth = 18 + textWidth(name) + 16;
    if (x > 0 && x + entryWidth > width) {
      x = 0;
      y += LEGEND_LINE;
    }
    body.push(
      element("rect", { class: `fill-${lockColour(index)}`, x, y: y - 10, width: 12, height: 12 }),
      svgText(x + 18, y, name),
    );
    x += entryWidth;
  });
  return { body, height: entries.length === 0 ? 0 : y + 8 };
}

function timeAxis(
  spanNs: number,
  at: { x(ns: number): number; left: number; right: number; y: number },
): readonly Markup[] {
  const [unit, size] = spanNs >= 2e6 ? (["ms", 1e6] as const) : (["µs", 1e3] as const);
  const scale = niceLinear(0, spanNs / size, Math.max(3, Math.floor((at.right - at.left) / 90)));
  const ticks = scale.ticks.filter((tick) => tick * size <= spanNs);
  return [
    svgLine([at.left, at.y, at.right, at.y], "muted"),
    ...ticks.flatMap((tick) => {
      const x = at.x(tick * size);
      return [
        svgLine([x, at.y, x, at.y + 5], "muted"),
        svgText(x, at.y + 20, String(tick), { anchor: "middle" }),
      ];
    }),
    svgText((at.left + at.right) / 2, at.y + 38, `time in this window, ${unit}`, {
      colour: "muted",
      anchor: "middle",
    }),
  ];
}

function leftOutNote({ leftOut }: WaitTimeline): string {
  return leftOut === 0
    ? "Every wait in this window is drawn."
    : `${formatCount(leftOut)} more ${leftOut === 1 ? "wait" : "waits"} in this window not drawn: too many to tell apart.`;
}

function describe(timeline: WaitTimeline): string {
  const lanes = timeline.lanes.map(
    (lane) =>
      `${laneName(lane)}: ${lane.waits.length} ${lane.waits.length === 1 ? "wait" : "waits"}`,
  );
  return `${lanes.join(", ")}. Locks by total wait: ${timeline.locks.map((lock) => lock.name).join(", ")}.`;
}

function laneName(lane: WaitLane): string {
  return `CPU ${lane.cpu}`;
}
