import { type Attributes, type Child, element, group, type Markup, styleSheet } from "./markup.ts";
import { type Colour, colourRules, PALETTE } from "./palette.ts";

/** A finished picture, not yet bound to a page or a file. */
export interface Drawing {
  readonly width: number;
  readonly height: number;
  readonly title: string;
  /** What it shows, in words, for those who cannot see it. */
  readonly description: string;
  readonly body: readonly Markup[];
}

// No quotes: the same text stands in a style sheet and in an attribute.
export const FONT_FAMILY =
  "system-ui, -apple-system, Segoe UI, Roboto, Helvetica, Arial, sans-serif";
export const FONT_SIZE = 13;
/** Paper around a picture that stands alone. */
const MARGIN = 20;

/** For a page that carries `chartRules` and the colour variables. @param id  unique in the page */
export function inlineSvg(drawing: Drawing, id: string, className?: string): Markup {
  const viewBox = `0 0 ${drawing.width} ${drawing.height}`;
  return svg(drawing, id, { class: className, viewBox }, []);
}

/** A whole SVG file: it carries its colours, follows the viewer's theme and needs nothing else. */
export function standaloneSvg(drawing: Drawing, id: string): Markup {
  const { width, height } = drawing;
  // The light rules stand first and plain, for viewers that know no media queries.
  const css = [
    colourRules((colour) => PALETTE[colour].light),
    "@media (prefers-color-scheme: dark){",
    colourRules((colour) => PALETTE[colour].dark),
    "}\n",
  ].join("\n");
  const [x, y, outerWidth, outerHeight] = [
    -MARGIN,
    -MARGIN,
    width + 2 * MARGIN,
    height + 2 * MARGIN,
  ];
  const paper = { class: "fill-paper", x, y, width: outerWidth, height: outerHeight };
  return svg(
    drawing,
    id,
    {
      xmlns: "http://www.w3.org/2000/svg",
      width: outerWidth,
      height: outerHeight,
      viewBox: `${x} ${y} ${outerWidth} ${outerHeight}`,
    },
    [styleSheet(css), element("rect", { ...paper, fill: PALETTE.paper.light })],
  );
}

/** Colour classes for charts inside a page, where the theme sets the variables. */
export function chartRules(): string {
  return colourRules((colour) => `var(--${colour})`);
}

export interface TextStyle {
  readonly colour?: Colour;
  readonly anchor?: "start" | "middle" | "end";
  readonly bold?: boolean;
}

/** Text with its baseline at y. */
export function svgText(
  x: number,
  y: number,
  content: Child | readonly Child[],
  { colour = "ink", anchor = "start", bold = false }: TextStyle = {},
): Markup {
  const attributes = {
    x,
    y,
    class: `fill-${colour}`,
    "text-anchor": anchor === "start" ? undefined : anchor,
    "font-weight": bold ? 600 : undefined,
  };
  return element("text", attributes, content);
}

export function svgLine(
  [x1, y1, x2, y2]: readonly [number, number, number, number],
  colour: Colour,
  attributes: Attributes = {},
): Markup {
  return element("line", { x1, y1, x2, y2, class: `stroke-${colour}`, ...attributes });
}

/**
 * An upper estimate of a text's width: we have no font to measure with. The classes and widths are
 * those of DejaVu Sans, the widest of the usual fonts, in parts of the font size.
 */
export function textWidth(text: string): number {
  let width = 0;
  for (const character of text) {
    if (/[ilj.,:;|'!()[\] ]/.test(character)) width += 0.35;
    else if (/[a-z]/.test(character)) width += /[mw]/.test(character) ? 0.95 : 0.6;
    else if (/[A-Z0-9_\-<>×]/.test(character)) width += 0.68;
    else width += 1;
  }
  return width * FONT_SIZE;
}

/** Breaks text at spaces into lines that are no wider, by the estimate of `textWidth`. */
export function wrapToWidth(text: string, width: number): readonly string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    const longer = line === "" ? word : `${line} ${word}`;
    if (line !== "" && textWidth(longer) > width) {
      lines.push(line);
      line = word;
    } else {
      line = longer;
    }
  }
  return [...lines, line];
}

function svg(
  { title, description, body }: Drawing,
  id: string,
  attributes: Attributes,
  before: readonly Markup[],
): Markup {
  return element(
    "svg",
    {
      ...attributes,
      role: "img",
      "aria-labelledby": `${id}-title`,
      "aria-describedby": `${id}-desc`,
      "font-family": FONT_FAMILY,
      "font-size": FONT_SIZE,
    },
    group(
      "",
      element("title", { id: `${id}-title` }, title),
      element("desc", { id: `${id}-desc` }, description),
      ...before,
      ...body,
      "",
    ),
  );
}
