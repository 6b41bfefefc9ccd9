import { type Child, element, group, type Markup } from "./markup.ts";
import { cut, displayWidth, padEnd, padStart, visible, wrap } from "./plain-text.ts";

/** Rows and columns, drawn as text for a terminal or as HTML. */
export interface Table {
  readonly caption: string;
  readonly columns: readonly Column[];
  /** Said instead, when there is no row. */
  readonly empty: string;
  /** What is left out, below the rows. */
  readonly note?: string | undefined;
}

export interface Column {
  /** With the unit, if the cells are numbers: `total, ms`. */
  readonly header: string;
  readonly cells: readonly string[];
  /** Numbers stand at the right and are never cut; text stands at the left. */
  readonly align: "left" | "right";
  /** Never cut: a name that would be ambiguous without its end. */
  readonly whole?: boolean;
  /** In a terminal, the first to go when there is no room. */
  readonly optional?: boolean;
  /** Names from the kernel, and commands. */
  readonly code?: boolean;
  /** In HTML, a bar behind each cell: its share of the cell's width, 0..1. */
  readonly bars?: readonly number[];
}

const GAP = "  ";
/** Before text columns get narrower than this, optional columns go. Kernel names are long. */
const TEXT_WIDTH_GOOD = 20;
const CODE_WIDTH_GOOD = 30;
/** Text columns are not cut further: the line is. */
const TEXT_WIDTH_MIN = 8;

/**
 * Columns side by side under their headers, below the caption.
 * @param width  no line of the table is longer: optional columns go first (from the right), then
 *   text is cut
 * @returns lines without trailing spaces, no newline at the end
 */
export function tableText(table: Table, width: number): string {
  const caption = wrap(visible(table.caption), width);
  const note = table.note === undefined ? [] : [wrap(visible(table.note), width)];
  const body = rowCount(table) === 0 ? wrap(visible(table.empty), width) : rowsText(table, width);
  return [caption, "", body, ...note].join("\n");
}

/** A table that scrolls sideways in its own box where the page is narrow. */
export function tableMarkup(table: Table): Markup {
  if (rowCount(table) === 0) return element("p", { class: "muted" }, table.empty);
  const { columns, caption, note } = table;
  const head = columns.map((column) =>
    element("th", { scope: "col", class: classOf(column) }, column.header),
  );
  const rows = Array.from({ length: rowCount(table) }, (_, row) =>
    element(
      "tr",
      {},
      columns.map((column, index) => cellMarkup(column, row, index === 0)),
    ),
  );
  return group(
    element("p", { class: "muted caption" }, caption),
    element(
      "div",
      { class: "scroll", role: "region", "aria-label": caption, tabindex: 0 },
      element(
        "table",
        {},
        element("thead", {}, element("tr", {}, head)),
        element("tbody", {}, group("", ...rows, "")),
      ),
    ),
    note && element("p", { class: "muted" }, note),
  );
}

function cellMarkup(column: Column, row: number, isFirst: boolean): Markup {
  const text = column.cells[row] ?? "";
  const content: Child = column.code === true && text !== "" ? element("code", {}, text) : text;
  const bar = column.bars?.[row];
  const attributes = {
    class: classOf(column),
    style: bar === undefined ? undefined : `--share: ${Math.round(Math.min(1, bar) * 1000) / 10}%`,
  };
  return isFirst
    ? element("th", { scope: "row", ...attributes }, content)
    : element("td", attributes, content);
}

function classOf({ align, bars }: Column): string | undefined {
  const classes = [align === "right" ? "number" : "", bars ? "bar" : ""].filter(
    (one) => one !== "",
  );
  return classes.length === 0 ? undefined : classes.join(" ");
}

function rowsText(table: Table, width: number): string {
  const kept = dropOptional(table.columns.map(cleaned), width);
  const widths = shrink(kept, width);
  const line = (cellOf: (column: Column) => string) =>
    cut(lineOf(kept, widths, kept.map(cellOf)), width);
  return [
    line((column) => column.header),
    ...Array.from({ length: rowCount(table) }, (_, row) =>
      line((column) => column.cells[row] ?? ""),
    ),
  ].join("\n");
}

function rowCount({ columns }: Table): number {
  return Math.max(0, ...columns.map((column) => column.cells.length));
}

function cleaned(column: Column): Column {
  return { ...column, header: visible(column.header), cells: column.cells.map(visible) };
}

function dropOptional(columns: readonly Column[], width: number): readonly Column[] {
  if (total(columns.map(goodWidth)) <= width) return columns;
  const last = columns.findLastIndex((column) => column.optional === true);
  return last < 0 ? columns : dropOptional(columns.toSpliced(last, 1), width);
}

/** Takes columns away from the widest text column, one at a time, until all fit. */
function shrink(columns: readonly Column[], width: number): readonly number[] {
  const widths = columns.map(naturalWidth);
  while (total(widths) > width) {
    let widest = -1;
    columns.forEach((column, index) => {
      const canShrink = widths[index]! > leastWidth(column);
      if (canShrink && (widest < 0 || widths[index]! > widths[widest]!)) widest = index;
    });
    if (widest < 0) break;
    widths[widest]! -= 1;
  }
  return widths;
}

function lineOf(
  columns: readonly Column[],
  widths: readonly number[],
  cells: readonly string[],
): string {
  return columns
    .map(({ align }, index) => {
      const room = widths[index]!;
      const text = cut(cells[index]!, room);
      return align === "right" ? padStart(text, room) : padEnd(text, room);
    })
    .join(GAP)
    .trimEnd();
}

function naturalWidth(column: Column): number {
  return Math.max(displayWidth(column.header), ...column.cells.map(displayWidth));
}

function goodWidth(column: Column): number {
  const good = column.code === true ? CODE_WIDTH_GOOD : TEXT_WIDTH_GOOD;
  const natural = naturalWidth(column);
  return column.align === "right" ? natural : Math.min(natural, good);
}

function leastWidth(column: Column): number {
  const natural = naturalWidth(column);
  const fixed = column.align === "right" || column.whole === true;
  return fixed ? natural : Math.min(natural, TEXT_WIDTH_MIN);
}

function total(widths: readonly number[]): number {
  return widths.reduce((sum, one) => sum + one, 0) + GAP.length * Math.max(0, widths.length - 1);
}
