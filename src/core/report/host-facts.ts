import type { HostFact } from "../facts/host-fact.ts";
import { element, group, type Markup } from "./markup.ts";
import { padEnd, visible, wrap } from "./plain-text.ts";

/** Puts colour on a piece of text; `aside` is what a reader may skip. */
export type PaintFact = (role: HostFact["state"] | "aside", text: string) => string;

const COLUMNS = 80;
const STATE_COLUMNS = "missing  ".length;

/**
 * Facts for a terminal, one after the other: state, title, what is found; below it the evidence
 * and what to do.
 * ```
 * missing  KVM                not here
 *          no /dev/kvm
 *          do: modprobe kvm_amd
 * ```
 * @param paint  adds no columns; default: no colour
 */
export function factsText(
  facts: readonly HostFact[],
  paint: PaintFact = (_role, text) => text,
): string {
  const titleColumns = Math.max(0, ...facts.map(({ title }) => title.length)) + 2;
  return facts.map((fact) => factText(fact, titleColumns, paint)).join("");
}

/** The same for a page. */
export function factsMarkup(facts: readonly HostFact[]): Markup {
  return element("dl", { class: "facts" }, group("", ...facts.map(factMarkup), ""));
}

function factMarkup({ state, title, found, evidence, remedy }: HostFact): Markup {
  const todo = remedy === undefined ? [] : [element("p", {}, `do: ${remedy}`)];
  return element(
    "div",
    {},
    element("dt", {}, title),
    element(
      "dd",
      {},
      element("span", { class: `state ${state}` }, state),
      ` ${found}`,
      element("p", { class: "muted" }, evidence),
      ...todo,
    ),
  );
}

function factText(fact: HostFact, titleColumns: number, paint: PaintFact): string {
  const { state, title, found, evidence, remedy } = fact;
  const head = `${padEnd(title, titleColumns)}${hanging(found, STATE_COLUMNS + titleColumns)}`;
  const margin = " ".repeat(STATE_COLUMNS);
  const below = [
    paint("aside", hanging(evidence, STATE_COLUMNS)),
    ...(remedy === undefined ? [] : [hanging(`do: ${remedy}`, STATE_COLUMNS, "    ")]),
  ];
  return [
    `${paint(state, state)}${" ".repeat(STATE_COLUMNS - state.length)}${head}\n`,
    ...below.map((text) => `${margin}${text}\n`),
  ].join("");
}

/** Lines that begin at a column; what follows the first is `deeper` by some blanks. */
function hanging(text: string, column: number, deeper = ""): string {
  return wrap(visible(text), COLUMNS - column, deeper).replaceAll("\n", `\n${" ".repeat(column)}`);
}
