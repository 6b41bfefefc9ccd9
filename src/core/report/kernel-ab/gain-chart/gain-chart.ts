// Which patch is fast, and which is safe, in one picture: a row for each kernel, its gain under each
// load, measured and predicted, and the checker's verdict for each operation.
import { visible } from "../../plain-text.ts";
import { type Drawing, svgText, wrapToWidth } from "../../svg.ts";
import type { KernelAbReport } from "../input.ts";
import { mainPlaces } from "../ranking.ts";
import { LINE } from "./layout.ts";
import { narrow } from "./narrow.ts";
import { scaleOf } from "./plot.ts";
import { type Row, rowInWords, rowsOf } from "./row.ts";
import { wide } from "./wide.ts";

/** Under this width the parts of a row stand below each other. */
const NARROW_BELOW = 600;

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
