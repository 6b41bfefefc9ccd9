// HTML and SVG as values. Strings are escaped where they enter, so a caller cannot forget to.
import { visible } from "./plain-text.ts";

const made = Symbol("markup");

/** Text that is already markup. Only this module can make one. */
export interface Markup {
  readonly [made]: string;
}

export type Child = string | Markup | undefined;
export type Attributes = Readonly<Record<string, string | number | undefined>>;

/**
 * One element.
 * @param name  and the names of `attributes` are ours, never from outside
 * @param attributes  numbers are rounded to 0.01; undefined leaves the attribute out
 * @param children  strings become escaped text
 */
export function element(
  name: string,
  attributes: Attributes,
  ...children: readonly (Child | readonly Child[])[]
): Markup {
  let open = `<${name}`;
  for (const [key, value] of Object.entries(attributes)) {
    if (value !== undefined) open += ` ${key}="${escapeMarkup(textOf(value))}"`;
  }
  if (VOID.has(name)) return { [made]: `${open}>` };
  const inside = children.flat().map(markupOf).join("");
  // Elements of SVG that hold nothing are closed at once: the same text is valid XML and HTML.
  if (inside === "" && EMPTY.has(name)) return { [made]: `${open}/>` };
  return { [made]: `${open}>${inside}</${name}>` };
}

/** Several pieces one after the other, each on its own line: goldens are read by people. */
export function group(...children: readonly (Child | readonly Child[])[]): Markup {
  return {
    [made]: children
      .flat()
      .filter((child) => child !== undefined)
      .map(markupOf)
      .join("\n"),
  };
}

/** A style sheet of ours. */
export function styleSheet(css: string): Markup {
  return { [made]: `<style>\n${css}</style>` };
}

export function markupText(markup: Markup): string {
  return markup[made];
}

/** Safe as text and inside a quoted attribute, in HTML and in XML. */
export function escapeMarkup(text: string): string {
  return visible(text).replace(/[&<>"']/g, (character) => ENTITIES[character]!);
}

const ENTITIES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

/** HTML elements without an end tag that we use. */
const VOID = new Set(["meta", "wbr"]);
const EMPTY = new Set(["circle", "line", "path", "polyline", "rect"]);

function markupOf(child: Child): string {
  if (child === undefined) return "";
  return typeof child === "string" ? escapeMarkup(child) : child[made];
}

function textOf(value: string | number): string {
  return typeof value === "number" ? String(Math.round(value * 100) / 100) : value;
}
