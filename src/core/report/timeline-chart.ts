import type { WaitLane, WaitTimeline } from "../analyze/result.ts";
import { formatCount, formatNs } from "../units.ts";
import { type LegendEntry, legendMarkup } from "./legend.ts";
import { element, type Markup } from "./markup.ts";
import { type Colour, SERIES_COLOURS } from "./palette.ts";
import { type Drawing, svgText, textWidth, wrapToWidth } from "./svg.ts";
import { timeAxis } from "./time-axis.ts";

type Wait = WaitLane["waits"][number];

/** A bar keeps this width however short the wait, so that none is invisible. */
const BAR_WIDTH_MIN = 1.2;
const ROW_GAP = 1;
const NOTE_LINE = 17;
/** Waits that overlap on one CPU (sleepers) are drawn below each other, up to this many. */
const ROWS_MAX = 4;

/**
 * Who waited where and when: a lane for each CPU, a bar for each wait, its colour the lock.
 * @param size  width in CSS pixels; the height follows from the number of CPUs
 */
export function timelineChart(timeline: WaitTimeline, size: { readonly width: number }): Drawing {
  const { width } = size;
  const legend = legendMarkup(legendOf(timeline), width);
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
  const axis = timeAxis(timeline.spanNs, "time in this window", { x, left, right, y: y + 4 });
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

/** Locks with a colour of their own, and one entry for all others. */
function legendOf({ locks }: WaitTimeline): readonly LegendEntry[] {
  const named = locks
    .slice(0, SERIES_COLOURS.length)
    .map(({ name }, lock) => ({ name, colour: lockColour(lock) }));
  const others = locks.length - named.length;
  if (others === 0) return named;
  return [
    ...named,
    { name: `${others} other ${others === 1 ? "lock" : "locks"}`, colour: "muted" },
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
