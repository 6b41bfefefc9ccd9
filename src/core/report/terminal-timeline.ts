import type { WaitLane, WaitTimeline } from "../analyze/result.ts";
import { formatCount, formatNs } from "../units.ts";
import { visible, wrap } from "./plain-text.ts";
import type { TextSize } from "./report.ts";

/** Locks get capital letters in the order of their wait; those after the last share one. */
const LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
const LEGEND_MAX = 5;
/** More lanes than a screen has lines are no picture. */
const LANES_MAX = 32;

/**
 * Who waited when, one line a CPU, one column a slice of time: the letter of the lock that was
 * waited for longest in it.
 * ```
 * CPU 0  ..AAAA......
 * CPU 1  ...AAA.BB...
 * ```
 */
export function terminalTimeline(timeline: WaitTimeline, { width, ascii }: TextSize): string {
  const { spanNs, lanes, locks, leftOut } = timeline;
  const shown = lanes.slice(0, LANES_MAX);
  const margin = Math.max(...shown.map(({ cpu }) => `CPU ${cpu}`.length)) + 2;
  const columns = width - margin;
  const idle = ascii ? "." : "·";
  const legend = locks
    .slice(0, LEGEND_MAX)
    .map((lock, i) => `${letterOf(i)} ${visible(lock.name)}`);
  const hidden = [
    ...(lanes.length > shown.length
      ? [`${lanes.length - shown.length} more CPUs are not shown.`]
      : []),
    ...(leftOut > 0 ? [`${formatCount(leftOut)} shorter waits are not shown.`] : []),
  ];
  return [
    ...shown.map(
      (lane) => `CPU ${lane.cpu}`.padEnd(margin) + laneText(lane, spanNs, columns, idle),
    ),
    "",
    wrap(
      `${legend.join(", ")}${legend.length > 0 ? "; " : ""}one column is ${formatNs(spanNs / columns)}.`,
      width,
    ),
    ...hidden,
  ].join("\n");
}

function laneText({ waits }: WaitLane, spanNs: number, columns: number, idle: string): string {
  const sliceNs = spanNs / columns;
  // Per column the wait for each lock, in ns.
  const slices = Array.from({ length: columns }, () => new Map<number, number>());
  for (const { tNs, waitNs, lock } of waits) {
    const first = Math.floor(tNs / sliceNs);
    const last = Math.min(columns - 1, Math.floor((tNs + waitNs) / sliceNs));
    for (let column = first; column <= last; column += 1) {
      const from = Math.max(tNs, column * sliceNs);
      const to = Math.min(tNs + waitNs, (column + 1) * sliceNs);
      const slice = slices[column]!;
      slice.set(lock, (slice.get(lock) ?? 0) + to - from);
    }
  }
  return slices
    .map((slice) => [...slice].reduce((top, each) => (each[1] > top[1] ? each : top), [-1, -1]))
    .map(([lock]) => (lock === -1 ? idle : letterOf(lock)))
    .join("");
}

function letterOf(lock: number): string {
  return LETTERS[lock] ?? "+";
}
