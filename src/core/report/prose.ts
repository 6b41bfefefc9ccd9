import { type Child, element, type Markup } from "./markup.ts";
import { visible } from "./plain-text.ts";

/** Running text in which names from the kernel and commands are told apart from our words. */
export type Prose = readonly (string | Code)[];

export interface Code {
  readonly code: string;
}

/** A name or a command, quoted as it is. */
export function code(text: string): Code {
  return { code: text };
}

/** Template tag: `` prose`serialised by ${code(lock.name)}` ``. */
export function prose(
  words: TemplateStringsArray,
  ...values: readonly (string | number | Code | Prose)[]
): Prose {
  return words.flatMap((word, index) => {
    const value = values[index];
    if (value === undefined) return [word];
    if (typeof value === "number") return [word, String(value)];
    if (typeof value === "string" || "code" in value) return [word, value];
    return [word, ...value];
  });
}

export function proseText(text: Prose): string {
  return text.map((part) => visible(typeof part === "string" ? part : part.code)).join("");
}

export function proseMarkup(text: Prose): readonly Child[] {
  return text.map((part): string | Markup =>
    typeof part === "string" ? keepUnits(part) : element("code", {}, breakable(part.code)),
  );
}

/** Kernel names are long and narrow screens are not: a line may break after an underscore. */
function breakable(name: string): readonly Child[] {
  const parts = name.split(/(?<=_)(?=[^_])/);
  return parts.flatMap((part, index) => (index === 0 ? [part] : [element("wbr", {}), part]));
}

/** A number and its unit stay on one line: `31 %`, `2 CPUs`, `4.60 µs`. */
function keepUnits(text: string): string {
  return text.replace(
    /(\d) (?=%|[a-zµ]{1,3}\b|[kMG]\b|[KMGT]iB\b|CPUs?\b|processes\b)/g,
    "$1\u00a0",
  );
}
