// Words that several facts share.

import type { HostFact } from "./host-fact.ts";
import type { Unreadable } from "./host-readings.ts";

export type Ability = "yes" | "no" | "unknown";

export type FactName = Pick<HostFact, "id" | "title">;

export function unreadWords({ unreadable }: Unreadable): Pick<HostFact, "found" | "evidence"> {
  return { found: "not known", evidence: unreadable };
}

/** A fact that could not be read: usable perhaps, and never called good. */
export function notKnown(base: FactName, reading: Unreadable, remedy: string): HostFact {
  return { ...base, state: "limited", ...unreadWords(reading), remedy };
}

export function notInstalled(base: FactName, program: string, packages: string): HostFact {
  const evidence = `no ${program} in PATH`;
  return {
    ...base,
    state: "missing",
    found: "not installed",
    evidence,
    remedy: `install ${packages}`,
  };
}

/** `a`, `a and b`, `a, b and c`. */
export function list(words: readonly string[], and: string): string {
  if (words.length < 2) return words.join("");
  return `${words.slice(0, -1).join(", ")} ${and} ${words.at(-1)}`;
}
