import { formatNs } from "../units.ts";
import { type Lane, type Lanes, lanesSpanNs, thinned } from "./lanes.ts";
import { asciiOnly, cut, displayWidth, padEnd, visible, wrap } from "./plain-text.ts";
import type { TextSize } from "./report.ts";

/** More lanes than a screen has lines are no picture. */
const LANES_MAX = 32;
const LABEL_WIDTH_MAX = 18;
const FAILED = "X";

/**
 * One line a lane, one column a slice of time: the letter of the kind of bar that fills most of it.
 * ```
 * vm-0   vvkkkkkkkkuu      0.91 s
 * vm-1   vvkkkkX
 * ```
 */
export function terminalLanes(lanes: Lanes, { width, ascii }: TextSize): string {
  const shown = thinned(lanes, LANES_MAX);
  const labels = shown.lanes.map(({ label }) => cut(visible(label), LABEL_WIDTH_MAX));
  const margin = Math.max(0, ...labels.map(displayWidth)) + 2;
  const notesWidth = Math.max(0, ...shown.lanes.map(({ endNote = "" }) => displayWidth(endNote)));
  const columns = Math.max(10, width - margin - (notesWidth === 0 ? 0 : notesWidth + 2));
  const sliceNs = lanesSpanNs(shown) / columns;
  const drawn = shown.lanes.map((lane) => laneText(lane, shown, sliceNs, columns));
  // What is too short for a column would only be looked for in vain.
  const legend = [...shown.kinds, { letter: FAILED, name: "failed" }].flatMap(({ letter, name }) =>
    drawn.some((text) => text.includes(letter)) ? [`${letter} ${visible(name)}`] : [],
  );
  const text = [
    ...shown.lanes.map(({ endNote }, index) => {
      const line = padEnd(labels[index]!, margin) + drawn[index]!;
      return endNote === undefined ? line.trimEnd() : `${line}  ${endNote}`;
    }),
    "",
    wrap(`${legend.join(", ")}; one column is ${formatNs(sliceNs)}.`, width),
    ...shown.notes.map((note) => wrap(note, width)),
  ].join("\n");
  return ascii ? asciiOnly(text) : text;
}

function laneText(
  { bars, failedAtNs }: Lane,
  { kinds }: Lanes,
  sliceNs: number,
  columns: number,
): string {
  const cells = Array.from({ length: columns }, (_, column) => {
    const [from, to] = [column * sliceNs, (column + 1) * sliceNs];
    let [most, covered, cell] = [0, 0, " "];
    for (const bar of bars) {
      const ns = Math.max(0, Math.min(to, bar.toNs) - Math.max(from, bar.fromNs));
      covered += ns;
      if (ns > most) [most, cell] = [ns, kinds[bar.kind]!.letter];
    }
    // A lane whose end touches the slice does not fill it.
    return covered * 2 >= sliceNs ? cell : " ";
  });
  if (failedAtNs !== undefined) {
    cells[Math.min(columns - 1, Math.floor(failedAtNs / sliceNs))] = FAILED;
  }
  return cells.join("");
}
