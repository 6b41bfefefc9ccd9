import { expect, test } from "vitest";
import { type Colour, PALETTE } from "./palette.ts";

const themes = ["light", "dark"] as const;
/** Text is drawn in all of these. */
const inks: readonly Colour[] = ["ink", "muted", "blue", "vermillion", "green", "purple", "amber"];

test.each(themes)(
  "%s: text of every colour has a contrast of 4.5 with paper and shade",
  (theme) => {
    for (const ink of inks) {
      for (const ground of ["paper", "shade"] as const) {
        const contrast = contrastOf(PALETTE[ink][theme], PALETTE[ground][theme]);
        expect(contrast, `${ink} on ${ground}`).toBeGreaterThanOrEqual(4.5);
      }
    }
    expect(contrastOf(PALETTE.ink[theme], PALETTE.rule[theme])).toBeGreaterThanOrEqual(4.5);
  },
);

/** WCAG 2.2, "contrast ratio". */
function contrastOf(a: string, b: string): number {
  const [light, dark] = [luminance(a), luminance(b)].sort((x, y) => y - x);
  return (light! + 0.05) / (dark! + 0.05);
}

/** WCAG 2.2, "relative luminance". @param colour  `#rrggbb` */
function luminance(colour: string): number {
  const [r, g, b] = [1, 3, 5].map((start) => {
    const value = Number.parseInt(colour.slice(start, start + 2), 16) / 255;
    return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r! + 0.7152 * g! + 0.0722 * b!;
}
