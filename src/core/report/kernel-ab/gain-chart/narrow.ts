// The same for a telephone: the parts of a row below each other.
import type { Colour } from "../../palette.ts";
import { svgLine, svgText, textWidth, wrapToWidth } from "../../svg.ts";
import type { KernelAbReport } from "../input.ts";
import { placeText } from "../words.ts";
import { type Layout, LINE, type Picture, ROW_MIN, TICKS_BELOW } from "./layout.ts";
import { gainMarkup, grid } from "./plot.ts";
import { markColour, type Row, SAFETY_COLOURS, wrapName } from "./row.ts";

export function narrow(
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

/** `✓ set_direct_map`, `✗ C1 10: ro, collapse`: operations with the same mark together. */
function marksInWords({ marks }: Row): readonly string[] {
  const kinds = [...new Set(marks.map(({ mark }) => mark))];
  return kinds.map((kind) => {
    const names = marks.filter(({ mark }) => mark === kind).map(({ operations }) => operations);
    return `${kind}${kind.length === 1 ? "" : ":"} ${names.join(", ")}`;
  });
}
