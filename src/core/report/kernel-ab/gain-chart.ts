// Which patch is fast, and which is safe, in one picture: a row for each kernel, its gain under each
// load, measured and predicted, and the checker's verdict for each operation.
import type { GainRange } from "../../analyze/kernel-ab/gains.ts";
import type { LoadPlace } from "../../analyze/kernel-ab/result.ts";
import { threeDigits } from "../../units.ts";
import { element, type Markup } from "../markup.ts";
import type { Colour } from "../palette.ts";
import { cut, visible } from "../plain-text.ts";
import { logarithmic, niceLog, type Scale, tickLabel } from "../scale.ts";
import { type Drawing, svgLine, svgText, textWidth, wrapToWidth } from "../svg.ts";
import type { KernelAbReport } from "./input.ts";
import { SAFETY_WORDS, type Safety, safetyOf, verdictMark } from "./safety.ts";
import {
  armsInOrder,
  gainAt,
  gainText,
  mainPlaces,
  notMeasured,
  placeText,
  SPEED_WORDS,
  speedOf,
  threads,
} from "./words.ts";

const LINE = 17;
const ROW_PAD = 12;
/** Room for a gain's label over its dot. */
const ROW_MIN = 46;
const GAP = 18;
const COLUMN_GAP = 6;
const NAME_WIDTH_MAX = 158;
const NAME_LINES_MAX = 3;
/** Bold letters are wider. */
const BOLD = 1.08;
const TICKS_BELOW = 24;
/** Under this width the parts of a row stand below each other. */
const NARROW_BELOW = 600;

const SAFETY_COLOURS: Readonly<Record<Safety, Colour>> = {
  safe: "green",
  "safe-if-own": "amber",
  unknown: "amber",
  unsafe: "vermillion",
};

interface Row {
  readonly arm: number;
  readonly name: string;
  readonly word: string;
  readonly safety: Safety;
  readonly marks: readonly { readonly operations: string; readonly mark: string }[];
}

/** @param size  width in CSS pixels; the height follows from the number of kernels */
export function gainChart(report: KernelAbReport, size: { readonly width: number }): Drawing {
  const places = mainPlaces(report.result);
  const rows = rowsOf(report);
  const scale = scaleOf(report, places);
  const picture =
    size.width < NARROW_BELOW
      ? narrow(report, rows, { places, scale, width: size.width })
      : wide(report, rows, { places, scale, width: size.width });
  const notes = notesOf(report, rows).flatMap((note) => wrapToWidth(note, size.width));
  return {
    width: size.width,
    height: picture.height + 8 + notes.length * LINE,
    title: "What each kernel gains, and whether it is safe",
    description: rows.map((row) => rowInWords(report, row, places)).join(" "),
    body: [
      ...picture.body,
      ...notes.map((note, i) =>
        svgText(0, picture.height + 18 + i * LINE, note, { colour: "muted" }),
      ),
    ],
  };
}

function rowsOf(report: KernelAbReport): readonly Row[] {
  return armsInOrder(report).map((arm) => {
    const verdicts = report.verdicts[arm] ?? [];
    const safety = safetyOf(verdicts);
    return {
      arm,
      name: visible(report.result.arms[arm]!.name),
      word: `${SPEED_WORDS[speedOf(report, arm)]}, ${SAFETY_WORDS[safety]}`,
      safety,
      marks: verdicts.map(({ verdict }) => ({
        operations: verdict.operations,
        mark: verdictMark(verdict),
      })),
    };
  });
}

/** One for all loads, so that they can be compared; the base is at 1. */
function scaleOf(report: KernelAbReport, places: readonly LoadPlace[]): Scale {
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

interface Layout {
  readonly places: readonly LoadPlace[];
  readonly scale: Scale;
  readonly width: number;
}

interface Picture {
  readonly body: readonly Markup[];
  readonly height: number;
}

function wide(
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

function narrow(
  report: KernelAbReport,
  rows: readonly Row[],
  { places, scale, width }: Layout,
): Picture {
  const left = Math.max(0, ...places.map(({ load }) => textWidth(load))) + 12;
  const plot = { x: left, width: width - left - 6 };
  const whole = places.flatMap((place) => wrapToWidth(placeText(place), width));
  const body = whole.map((line, i) => svgText(0, 13 + i * LINE, line, { colour: "muted" }));
  let y = whole.length * LINE + 6;
  for (const row of rows) {
    const lines: readonly (readonly [text: string, colour: Colour, bold: boolean])[] = [
      ...wrapName(row.name, width).map((line) => [line, "ink", true] as const),
      ...wrapToWidth(row.word, width).map(
        (line) => [line, SAFETY_COLOURS[row.safety], row.safety === "unsafe"] as const,
      ),
      ...marksInWords(row).flatMap((line) =>
        wrapToWidth(line, width).map((each) => [each, markColour(line), false] as const),
      ),
    ];
    body.push(
      svgLine([0, y, width, y], "rule"),
      ...lines.map(([text, colour, bold], i) =>
        svgText(0, y + 18 + i * LINE, text, { colour, bold }),
      ),
    );
    const plotTop = y + 10 + lines.length * LINE;
    const plotBottom = plotTop + places.length * ROW_MIN;
    body.push(...grid(scale, { ...plot, top: plotTop, bottom: plotBottom }));
    places.forEach((place, i) => {
      const middle = plotTop + (i + 0.5) * ROW_MIN;
      body.push(
        svgText(0, middle + 10, place.load, { colour: "muted" }),
        ...gainMarkup(report, row.arm, place, { scale, ...plot, y: middle }),
      );
    });
    y = plotBottom + TICKS_BELOW + 4;
  }
  return { body, height: y };
}

interface Panel {
  readonly x: number;
  readonly width: number;
}

/** Vertical lines at the ticks, that of the base heavier, and their labels below. */
function grid(
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
function gainMarkup(
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

/** `set_direct_map` → `set_direct_`, `map`; `memory-type` → `memory-`, `type`. */
function headLines(operations: string): readonly string[] {
  const words = operations.split(/(?<=[-_ ])/);
  if (words.length === 1) return words;
  return [words.slice(0, -1).join(""), words.at(-1)!];
}

/** Breaks a name behind its commas, and cuts what is still too long. */
function wrapName(name: string, width: number): readonly string[] {
  const lines: string[] = [];
  for (const word of name.split(/(?<=,)/)) {
    const longer = `${lines.at(-1) ?? ""}${word}`;
    if (lines.length > 0 && textWidth(longer) <= width) lines[lines.length - 1] = longer;
    else lines.push(word);
  }
  const longest = Math.floor(width / textWidth("0"));
  const kept = lines.slice(0, NAME_LINES_MAX);
  if (lines.length > NAME_LINES_MAX) kept.push(`${kept.pop()}…`);
  return kept.map((line) => (textWidth(line) <= width ? line : cut(line, longest)));
}

function operationsOf(rows: readonly Row[]): readonly string[] {
  return [...new Set(rows.flatMap(({ marks }) => marks.map(({ operations }) => operations)))];
}

/** `✓ set_direct_map`, `✗ C1 10: ro, collapse`: operations with the same mark together. */
function marksInWords({ marks }: Row): readonly string[] {
  const kinds = [...new Set(marks.map(({ mark }) => mark))];
  return kinds.map((kind) => {
    const names = marks.filter(({ mark }) => mark === kind).map(({ operations }) => operations);
    return `${kind}${kind.length === 1 ? "" : ":"} ${names.join(", ")}`;
  });
}

function markColour(mark: string): Colour {
  if (mark.startsWith("✓")) return "green";
  return mark.startsWith("✗") ? "vermillion" : "amber";
}

function notesOf(report: KernelAbReport, rows: readonly Row[]): readonly string[] {
  const base = visible(report.result.arms[0]!.name);
  const hasPrediction = !("why" in report.prediction);
  return [
    `Throughput over that of ${base}, which is at 1×. Dot: measured, with its 95 % interval; grey: no difference was found.`,
    ...(hasPrediction ? [`Ring: predicted by a model that has seen ${base} alone.`] : []),
    ...markMeaning(rows.toReversed().flatMap(({ marks }) => marks.map(({ mark }) => mark))),
  ];
}

/** `✗ C1 10: …`, of the first such mark. */
function markMeaning(marks: readonly string[]): readonly string[] {
  const [mark, law, steps] =
    marks
      .flatMap((each) => [/^✗ (\S+) (\d+)$/.exec(each) ?? []])
      .find((match) => match.length > 0) ?? [];
  return mark === undefined
    ? []
    : [
        `${mark}: a schedule of ${steps} steps breaks law ${law}. same-page: two owners of one page.`,
      ];
}

function rowInWords(
  report: KernelAbReport,
  { arm, name, word, marks }: Row,
  places: readonly LoadPlace[],
): string {
  const gains = places.map((place) => {
    const { measured, predicted } = gainAt(report, arm, place) ?? {};
    const seen = measured === undefined ? notMeasured(report, arm, place) : gainText(measured);
    const said = predicted === undefined ? "" : `, predicted ${gainText(predicted)}`;
    return `${placeText(place)} ${seen}${said}`;
  });
  const verdicts = marks.map(({ operations, mark }) => `${operations} ${mark}`);
  return `${name}: ${word}. ${[...gains, ...verdicts].join("; ")}.`;
}
