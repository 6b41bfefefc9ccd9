// A counterexample as a picture: a column for each CPU, time downwards, and at the right what the
// page tables say and what a TLB may hold after each step that changes them.
import type { Counterexample } from "../check/check.ts";
import { machineChanges } from "./machine-changes.ts";
import { element, type Markup } from "./markup.ts";
import { inTerms, type Terms } from "./page-table-terms.ts";
import { requestText } from "./schedule-text.ts";
import { type Drawing, svgLine, svgText, textWidth, wrapToWidth } from "./svg.ts";

const MARGIN_LEFT = 34;
const COLUMN_GAP = 12;
const LINE = 17;
const STEP_GAP = 8;
const HEAD = 26;
const NOTES_SHARE = 0.34;

/** @param size  width in CSS pixels; the height follows from the number of steps */
export function scheduleChart(
  counterexample: Counterexample,
  terms: Terms,
  size: { readonly width: number },
): Drawing {
  const { programs, replay, laws } = counterexample;
  const { width } = size;
  const notesWidth = Math.round(width * NOTES_SHARE);
  const columnWidth = (width - MARGIN_LEFT - notesWidth) / programs.length - COLUMN_GAP;
  const columnX = (cpu: number) => MARGIN_LEFT + cpu * (columnWidth + COLUMN_GAP);
  const notesX = width - notesWidth + 8;

  const body: Markup[] = [];
  let y = HEAD;
  let before = replay.initial;
  replay.steps.forEach((step, index) => {
    const last = index === replay.steps.length - 1;
    const what = wrapToWidth(inTerms(step.what, terms), columnWidth - 16);
    const fn = wrapToWidth(step.fn, columnWidth - 16);
    const changes = machineChanges(before, step.after).map((each) => inTerms(each, terms));
    const notes = changes.flatMap((each) => wrapToWidth(each, notesWidth - 8));
    const broken = last
      ? laws.flatMap((law) => wrapToWidth(`breaks ${law.id}`, notesWidth - 8))
      : [];
    const lines = fn.length + what.length;
    const height = Math.max(lines, notes.length + broken.length) * LINE + 10;
    const x = columnX(step.cpu);
    body.push(
      svgText(MARGIN_LEFT - 10, y + 19, `${index + 1}`, { colour: "muted", anchor: "end" }),
      element("rect", { class: "fill-shade", x, y, width: columnWidth, height: lines * LINE + 10 }),
      svgLine([x, y, x, y + lines * LINE + 10], last ? "vermillion" : "blue", {
        "stroke-width": 3,
      }),
      ...fn.map((line, i) => svgText(x + 10, y + 19 + i * LINE, line, { bold: true })),
      ...what.map((line, i) => svgText(x + 10, y + 19 + (fn.length + i) * LINE, line)),
      ...notes.map((line, i) => svgText(notesX, y + 19 + i * LINE, line, { colour: "muted" })),
      ...broken.map((line, i) =>
        svgText(notesX, y + 19 + (notes.length + i) * LINE, line, {
          colour: "vermillion",
          bold: true,
        }),
      ),
    );
    y += height + STEP_GAP;
    before = step.after;
  });
  const heads = programs.map((requests, cpu) => {
    const text = `CPU ${cpu}: ${requests.map((name) => requestText(name, cpu)).join(", ")}`;
    const fits = textWidth(text) <= columnWidth;
    return svgText(columnX(cpu), 14, fits ? text : `CPU ${cpu}`, { bold: true });
  });
  return {
    width,
    height: y,
    title: `${replay.steps.length} steps that break ${laws.map((law) => law.id).join(", ")}`,
    description: replay.steps
      .map((step, i) => `${i + 1}: CPU ${step.cpu}, ${step.fn}, ${inTerms(step.what, terms)}`)
      .join("; "),
    body: [...heads, svgText(notesX, 14, "what changes", { colour: "muted" }), ...body],
  };
}
