// One set of colours for charts and page, each with a light and a dark form.

/**
 * After Okabe and Ito, "Color Universal Design" (2008), told apart by people of all colour vision;
 * made darker (light theme) or lighter (dark theme) until text in any of them has a contrast of
 * 4.5 with the paper (WCAG 2.2, 1.4.3). `palette.test.ts` measures it.
 */
export const PALETTE = {
  paper: { light: "#ffffff", dark: "#14171a" },
  ink: { light: "#1a1d21", dark: "#e7e9eb" },
  muted: { light: "#59616a", dark: "#a3abb3" },
  rule: { light: "#dde1e5", dark: "#33393f" },
  shade: { light: "#f5f6f7", dark: "#1c2024" },
  blue: { light: "#0067a6", dark: "#5cb5ec" },
  vermillion: { light: "#b64700", dark: "#f5874d" },
  green: { light: "#00745a", dark: "#3cc29a" },
  purple: { light: "#a0457a", dark: "#df94bb" },
  amber: { light: "#856000", dark: "#e3a82b" },
} as const satisfies Record<string, { light: string; dark: string }>;

export type Colour = keyof typeof PALETTE;

/** Colours for things of one kind, in the order they are given out. */
export const SERIES_COLOURS = ["vermillion", "blue", "green", "purple", "amber"] as const;

/** `--ink: #1a1d21; …` */
export function colourVariables(theme: "light" | "dark"): string {
  return names()
    .map((name) => `--${name}: ${PALETTE[name][theme]};`)
    .join(" ");
}

/** Class rules that charts use: `.fill-blue`, `.stroke-blue`. */
export function colourRules(paint: (colour: Colour) => string): string {
  return names()
    .map((name) => `.fill-${name}{fill:${paint(name)}}.stroke-${name}{stroke:${paint(name)}}`)
    .join("\n");
}

function names(): readonly Colour[] {
  return Object.keys(PALETTE) as Colour[];
}
