// A row for each kernel: its name, a plot for each load, a column for each kind of operation.
import type { Markup } from "../../markup.ts";
import { svgLine, svgText, textWidth, wrapToWidth } from "../../svg.ts";
import type { KernelAbReport } from "../input.ts";
import { threads } from "../words.ts";
import { type Layout, LINE, type Picture, ROW_MIN, TICKS_BELOW } from "./layout.ts";
import { gainMarkup, grid } from "./plot.ts";
import { markColour, type Row, SAFETY_COLOURS, wrapName } from "./row.ts";

const ROW_PAD = 12;
const GAP = 18;
const COLUMN_GAP = 6;
const NAME_WIDTH_MAX = 158;
/** Bold letters are wider. */
const BOLD = 1.08;

export function wide(
  report: KernelAbReport,
  rows: readonly Row[],
  { places, scale, width }: Layout,
): Picture {
  const nameLines = rows.map(({ name, word }) => ({
    name: wrapName(name, NAME_WIDTH_MAX),
    word: wrapToWidth(word, NAME_WIDTH_MAX),
  }));
  const nameWidth = Math.max(
    100,
    ...nameLines.flatMap(({ name, word }) => [...name, ...word].map(textWidth)),
  );
  const operations = operationsOf(rows);
  const heads = operations.map(headLines);
  const marks = (each: string) =>
    rows.flatMap((row) => row.marks.filter(({ operations: own }) => own === each));
  const columnWidths = heads.map((lines, i) =>
    Math.max(
      ...lines.map(textWidth),
      ...marks(operations[i]!).map(({ mark }) => textWidth(mark) * BOLD),
    ),
  );
  const verdictsWidth = columnWidths.reduce((sum, each) => sum + each + COLUMN_GAP, 0);
  const verdictsX = width - verdictsWidth;
  const panelWidth = (verdictsX - nameWidth - GAP) / Math.max(1, places.length) - GAP;
  const panelX = (index: number) => nameWidth + GAP + index * (panelWidth + GAP);
  const columnX = (index: number) =>
    verdictsX + columnWidths.slice(0, index).reduce((sum, each) => sum + each + COLUMN_GAP, 0);

  const top = LINE * 3 + 6;
  const heights = nameLines.map(({ name, word }) =>
    Math.max(ROW_MIN, (name.length + word.length) * LINE + ROW_PAD),
  );
  const rowY = (index: number) =>
    top + heights.slice(0, index).reduce((sum, each) => sum + each, 0);
  const bottom = rowY(rows.length);

  const body: Markup[] = [
    ...places.flatMap((place, index) => [
      svgText(panelX(index), 13, place.load, { bold: true }),
      ...wrapToWidth(`${threads(place.threads)} on ${place.vcpus} vCPUs`, panelWidth).map(
        (line, i) => svgText(panelX(index), 13 + LINE * (i + 1), line, { colour: "muted" }),
      ),
      ...grid(scale, { x: panelX(index), width: panelWidth, top, bottom }),
    ]),
    ...(operations.length === 0
      ? []
      : [svgText(columnX(0), 13, "check says, by operation", { bold: true })]),
    ...heads.flatMap((lines, index) =>
      lines.map((line, i) =>
        svgText(columnX(index), 13 + LINE * (i + 1), line, { colour: "muted" }),
      ),
    ),
  ];
  rows.forEach((row, index) => {
    const y = rowY(index);
    const { name, word } = nameLines[index]!;
    const middle = y + heights[index]! / 2;
    const textY = middle - ((name.length + word.length) * LINE) / 2 + 13;
    body.push(
      svgLine([0, y, width, y], "rule"),
      ...name.map((line, i) => svgText(0, textY + i * LINE, line, { bold: true })),
      ...word.map((line, i) =>
        svgText(0, textY + (name.length + i) * LINE, line, {
          colour: SAFETY_COLOURS[row.safety],
          bold: row.safety === "unsafe",
        }),
      ),
      ...places.flatMap((place, i) =>
        gainMarkup(report, row.arm, place, { scale, x: panelX(i), width: panelWidth, y: middle }),
      ),
      ...operations.flatMap((each, i) => {
        const mark = row.marks.find(({ operations: own }) => own === each)?.mark ?? "?";
        return [svgText(columnX(i), middle + 4, mark, { colour: markColour(mark), bold: true })];
      }),
    );
  });
  return { body, height: bottom + TICKS_BELOW };
}

/** `set_direct_map` → `set_direct_`, `map`; `memory-type` → `memory-`, `type`. */
function headLines(operations: string): readonly string[] {
  const words = operations.split(/(?<=[-_ ])/);
  if (words.length === 1) return words;
  return [words.slice(0, -1).join(""), words.at(-1)!];
}

function operationsOf(rows: readonly Row[]): readonly string[] {
  return [...new Set(rows.flatMap(({ marks }) => marks.map(({ operations }) => operations)))];
}
