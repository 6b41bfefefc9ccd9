import { type Design, parseLockUse, SECTIONS } from "../kernel/design.ts";
import type { Law } from "../kernel/law.ts";
import { breaksSomeLaw, checkDesign, DEFAULT_LIMITS, type Limits } from "./check.ts";
import type { Question } from "./question.ts";

/** A design with one lock, flush or look-up taken away. */
export interface Removal {
  readonly what: string;
  readonly design: Design;
}

/** What a removal does to a design that was safe. */
export interface RemovalRow {
  readonly design: string;
  readonly what: string;
  readonly outcome: "caught" | "redundant" | "unknown";
  /** Caught: for which operations, by which law, in how many steps. */
  readonly operations?: string;
  readonly law?: Law;
  readonly steps?: number;
  /** Redundant: what covers for it, being needed once this is gone too. Empty: nothing needs it. */
  readonly coveredBy: readonly string[];
}

/** Every lock (in one section, and everywhere), every flush, every second look and mark. */
export function removalsOf(design: Design): readonly Removal[] {
  const found: Removal[] = [];
  const name = (what: string) => `${design.name} without ${what}`;
  const add = (what: string, change: Partial<Design>) =>
    found.push({ what, design: { ...design, ...change, name: name(what) } });
  for (const lock of Object.keys(design.locks)) {
    const users = SECTIONS.filter((s) =>
      design.sections[s].some((u) => parseLockUse(u).lock === lock),
    );
    for (const section of users.length > 1 ? users : []) {
      add(`${lock} in ${section}`, {
        sections: { ...design.sections, [section]: without(design, section, lock) },
      });
    }
    const sections = { ...design.sections };
    for (const section of users) sections[section] = without(design, section, lock);
    if (users.length > 0) add(lock, { sections });
  }
  if (!design.preSplit) {
    if (design.splitFlush !== "none") {
      add("the flush of a split", { splitFlush: "none", splitMark: false });
    }
    if (design.recheck.decide) {
      add("the second look of should_split", { recheck: { ...design.recheck, decide: false } });
    }
    if (design.recheck.split) {
      add("the second look of the split", { recheck: { ...design.recheck, split: false } });
    }
    if (design.splitMark) add("the split mark", { splitMark: false });
  }
  if (design.finalFlush) add("the final flush", { finalFlush: false });
  if (design.collapse === "flush-then-free") {
    add("the flush of a collapse", { collapse: "free-without-flush" });
  }
  return found;
}

function without(
  design: Design,
  section: keyof Design["sections"],
  lock: string,
): readonly string[] {
  return design.sections[section].filter((use) => parseLockUse(use).lock !== lock);
}

/**
 * Takes away each lock, flush and second look of a design, one at a time, and asks again. What
 * breaks nothing is called redundant, with what covers for it: Y covers for X when some operation
 * is safe without Y and unsafe without both.
 */
export function removalTable(
  design: Design,
  operations: readonly string[],
  question: Omit<Question, "design" | "operations">,
  limits: Limits = DEFAULT_LIMITS,
): RemovalRow[] {
  const breaks = (asked: Design, name: string) =>
    breaksSomeLaw({ ...question, design: asked, operations: name }, limits);
  // Only operations that the design itself is safe for can show what a removal breaks.
  const safe = operations.filter((name) => !breaks(design, name));
  const alone = removalsOf(design).map((removal) => ({
    removal,
    broken: safe.filter((name) => breaks(removal.design, name)),
  }));
  const covers = (one: Removal): string[] =>
    removalsOf(one.design)
      .filter(({ what, design: both }) => {
        const broken = alone.find((a) => a.removal.what === what)?.broken;
        if (broken === undefined) return false;
        return safe.some((name) => !broken.includes(name) && breaks(both, name));
      })
      .map(({ what }) => what);
  return alone.map(({ removal, broken }): RemovalRow => {
    const base = { design: design.name, what: removal.what };
    const name = broken[0];
    if (name === undefined) return { ...base, outcome: "redundant", coveredBy: covers(removal) };
    const verdict = checkDesign({ ...question, design: removal.design, operations: name }, limits);
    const found = verdict.counterexample;
    if (found === undefined) return { ...base, outcome: "unknown", coveredBy: [] };
    const steps = found.replay.steps.length;
    return { ...base, outcome: "caught", operations: name, law: found.law, steps, coveredBy: [] };
  });
}
