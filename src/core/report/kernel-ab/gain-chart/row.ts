// A row of the picture: a kernel, and what is said of it in words and marks.
import type { LoadPlace } from "../../../analyze/kernel-ab/result.ts";
import type { Colour } from "../../palette.ts";
import { cut, visible } from "../../plain-text.ts";
import { textWidth } from "../../svg.ts";
import type { KernelAbReport } from "../input.ts";
import { armsInOrder, gainAt, speedOf } from "../ranking.ts";
import { SAFETY_WORDS, type Safety, safetyOf, verdictMark } from "../safety.ts";
import { gainText, notMeasured, placeText, SPEED_WORDS } from "../words.ts";

const NAME_LINES_MAX = 3;

export const SAFETY_COLOURS: Readonly<Record<Safety, Colour>> = {
  safe: "green",
  "safe-if-own": "amber",
  unknown: "amber",
  unsafe: "vermillion",
};

export interface Row {
  readonly arm: number;
  readonly name: string;
  readonly word: string;
  readonly safety: Safety;
  readonly marks: readonly { readonly operations: string; readonly mark: string }[];
}

export function rowsOf(report: KernelAbReport): readonly Row[] {
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

export function rowInWords(
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

/** Breaks a name behind its commas, and cuts what is still too long. */
export function wrapName(name: string, width: number): readonly string[] {
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

export function markColour(mark: string): Colour {
  if (mark.startsWith("✓")) return "green";
  return mark.startsWith("✗") ? "vermillion" : "amber";
}
