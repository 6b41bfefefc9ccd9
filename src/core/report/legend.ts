import type { Markup } from "./markup.ts";
import { element } from "./markup.ts";
import type { Colour } from "./palette.ts";
import { cut, visible } from "./plain-text.ts";
import { svgText, textWidth } from "./svg.ts";

export interface LegendEntry {
  readonly name: string;
  readonly colour: Colour;
  /** A paler form of the colour, for what is akin. */
  readonly faint?: boolean;
}

const LINE = 20;
/** How much of a faint colour covers the paper. */
export const FAINT_OPACITY = 0.45;

/** Coloured squares with their names, in as many lines as they need. */
export function legendMarkup(
  entries: readonly LegendEntry[],
  width: number,
): { readonly body: readonly Markup[]; readonly height: number } {
  const longest = Math.floor((width - 34) / textWidth("0"));
  const body: Markup[] = [];
  let x = 0;
  let y = 14;
  for (const entry of entries) {
    const name = cut(visible(entry.name), longest);
    const entryWidth = 18 + textWidth(name) + 16;
    if (x > 0 && x + entryWidth > width) {
      x = 0;
      y += LINE;
    }
    const place = { x, y: y - 10, width: 12, height: 12 };
    body.push(element("rect", { ...fillOf(entry), ...place }), svgText(x + 18, y, name));
    x += entryWidth;
  }
  return { body, height: entries.length === 0 ? 0 : y + 8 };
}

/** The attributes that paint a shape like its legend. */
export function fillOf({ colour, faint = false }: Omit<LegendEntry, "name">) {
  return { class: `fill-${colour}`, "fill-opacity": faint ? FAINT_OPACITY : undefined };
}
