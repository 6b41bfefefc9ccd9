import { BootstormError, EXIT } from "../../error.ts";
import {
  type Design,
  type Lock,
  parseLockUse,
  SECTIONS,
  type Section,
  SPLIT_FLUSHES,
  sectionsAround,
} from "../design.ts";
import { DESIGN_BY_NAME } from "./index.ts";

/**
 * A design of the user's own, from parsed JSON. Fields that are absent are those of `base`:
 *
 *     { "name": "mine", "base": "linux-4.20",
 *       "locks": { "pmd_lock": { "kind": "spinlock", "scope": "pmd" } },
 *       "sections": { "split": ["pmd_lock"], "store": ["pmd_lock"], "round": [] },
 *       "splitFlush": "in-split" }
 *
 * `locks` and `sections` are merged with the base's name by name; `"init_mm:read"` takes a lock for
 * reading.
 * @throws BootstormError that names every problem with its path in the file
 */
export function readDesign(file: unknown): Design {
  const problems: string[] = [];
  const design = designOf(file, problems);
  if (design !== undefined && problems.length === 0) contradictions(design, problems);
  if (design === undefined || problems.length > 0) {
    throw new BootstormError("DESIGN_INVALID", problems.join("\n  "), {
      why: "the design cannot be built from this file",
      remedies: [`bases: ${[...DESIGN_BY_NAME.keys()].join(", ")}`],
      exit: EXIT.usage,
    });
  }
  return design;
}

/** Every problem of a design that is already typed; empty when it can be explored. */
export function problemsOf(design: Design): readonly string[] {
  const problems: string[] = [];
  contradictions(design, problems);
  return problems;
}

type Fields = Readonly<Record<string, unknown>>;

function designOf(file: unknown, problems: string[]): Design | undefined {
  if (!isObject(file)) {
    problems.push("(file): a design is a JSON object");
    return undefined;
  }
  const base = oneOf(file, "base", [...DESIGN_BY_NAME.keys()], "linux-4.20", "", problems);
  const from = DESIGN_BY_NAME.get(base)!;
  unknownKeys(file, [...Object.keys(from), "base"], "", problems);
  if (typeof file.name !== "string" || file.name === "") {
    problems.push("name: a design needs a name");
  }
  const sections = { ...from.sections, ...sectionsOf(file, problems) };
  const own = locksOf(file, problems);
  const taken = new Set(SECTIONS.flatMap((s) => sections[s].map((use) => parseLockUse(use).lock)));
  for (const name of Object.keys(own)) {
    if (!taken.has(name)) problems.push(`locks.${name}: no section takes it`);
  }
  // The base's locks that are not taken any more are gone.
  const locks = Object.entries({ ...from.locks, ...own }).filter(([name]) => taken.has(name));
  return {
    name: String(file.name),
    title: text(file, "title", `${String(file.name)} (after ${base})`, problems),
    source: text(file, "source", "user", problems),
    locks: Object.fromEntries(locks),
    sections,
    splitFlush: oneOf(file, "splitFlush", SPLIT_FLUSHES, from.splitFlush, "", problems),
    recheck: recheckOf(file, from, problems),
    splitMark: flag(file, "splitMark", from.splitMark, "", problems),
    skipRoundFor: oneOf(
      file,
      "skipRoundFor",
      ["nothing", "present-changes-of-4k"],
      from.skipRoundFor,
      "",
      problems,
    ),
    preSplit: flag(file, "preSplit", from.preSplit, "", problems),
    finalFlush: flag(file, "finalFlush", from.finalFlush, "", problems),
    collapse: oneOf(
      file,
      "collapse",
      ["none", "flush-then-free", "free-then-flush", "free-without-flush"],
      from.collapse,
      "",
      problems,
    ),
  };
}

function locksOf(file: Fields, problems: string[]): Record<string, Lock> {
  const locks = part(file, "locks", problems);
  return Object.fromEntries(
    Object.entries(locks).flatMap(([name, value]) => {
      const path = `locks.${name}`;
      if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name)) problems.push(`${path}: not a C identifier`);
      if (!isObject(value)) {
        problems.push(`${path}: { "kind": …, "scope": … }`);
        return [];
      }
      unknownKeys(value, ["kind", "scope", "irqsOff"], `${path}.`, problems);
      const kinds = ["spinlock", "mutex", "rwlock", "rwsem"] as const;
      const kind = oneOf(value, "kind", kinds, "spinlock", `${path}.`, problems);
      const scope = oneOf(
        value,
        "scope",
        ["global", "pmd"] as const,
        "global",
        `${path}.`,
        problems,
      );
      const irqsOff = flag(value, "irqsOff", false, `${path}.`, problems);
      return [[name, { kind, scope, irqsOff }] as const];
    }),
  );
}

function sectionsOf(file: Fields, problems: string[]): Partial<Record<Section, readonly string[]>> {
  const sections = part(file, "sections", problems);
  unknownKeys(sections, SECTIONS, "sections.", problems);
  return Object.fromEntries(
    SECTIONS.flatMap((section) => {
      const value = sections[section];
      if (value === undefined) return [];
      if (Array.isArray(value) && value.every((v) => typeof v === "string")) {
        return [[section, value as readonly string[]]];
      }
      problems.push(`sections.${section}: a list of lock names`);
      return [];
    }),
  );
}

function recheckOf(file: Fields, from: Design, problems: string[]): Design["recheck"] {
  const recheck = part(file, "recheck", problems);
  unknownKeys(recheck, ["decide", "split"], "recheck.", problems);
  return {
    decide: flag(recheck, "decide", from.recheck.decide, "recheck.", problems),
    split: flag(recheck, "split", from.recheck.split, "recheck.", problems),
  };
}

/** Designs that no kernel could be: better refused than explored. */
function contradictions(design: Design, problems: string[]): void {
  for (const section of SECTIONS) {
    design.sections[section].forEach((use, i) => {
      const path = `sections.${section}[${i}]`;
      const { lock, shared } = parseLockUse(use);
      const known = design.locks[lock];
      if (known === undefined) {
        problems.push(
          `${path}: no lock "${lock}" in locks (${Object.keys(design.locks).join(", ")})`,
        );
        return;
      }
      if (shared && (known.kind === "spinlock" || known.kind === "mutex")) {
        problems.push(
          `${path}: a ${known.kind} has no read side; locks.${lock}.kind: rwlock, rwsem`,
        );
      }
      const earlier = design.sections[section].slice(0, i);
      for (const around of sectionsAround(section).slice(0, -1)) {
        earlier.push(...design.sections[around]);
      }
      if (earlier.some((other) => parseLockUse(other).lock === lock)) {
        problems.push(`${path}: ${lock} is held here already: the CPU would wait for itself`);
      }
    });
  }
  if (design.splitMark && design.splitFlush === "none") {
    problems.push("splitMark: the mark says that a flush is pending, and splitFlush is none");
  }
  if (design.preSplit && design.splitMark) {
    problems.push("splitMark: with preSplit there are no splits to mark");
  }
  if (design.collapse === "none") {
    for (const section of ["collapse", "collapse2m"] as const) {
      if (design.sections[section].length > 0) {
        problems.push(`sections.${section}: locks a collapse, and collapse is none`);
      }
    }
  }
  if (Object.keys(design.locks).length > 8) problems.push("locks: more than 8");
}

function isObject(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function part(fields: Fields, key: string, problems: string[]): Fields {
  const value = fields[key];
  if (value === undefined) return {};
  if (isObject(value)) return value;
  problems.push(`${key}: an object`);
  return {};
}

function unknownKeys(
  fields: Fields,
  known: readonly string[],
  path: string,
  problems: string[],
): void {
  for (const key of Object.keys(fields)) {
    if (!known.includes(key)) problems.push(`${path}${key}: unknown (known: ${known.join(", ")})`);
  }
}

function oneOf<T extends string>(
  fields: Fields,
  key: string,
  values: readonly T[],
  otherwise: T,
  path: string,
  problems: string[],
): T {
  const value = fields[key];
  if (value === undefined) return otherwise;
  const found = values.find((v) => v === value);
  if (found === undefined) {
    problems.push(`${path}${key}: ${JSON.stringify(value)} is not one of ${values.join(", ")}`);
  }
  return found ?? otherwise;
}

function flag(
  fields: Fields,
  key: string,
  otherwise: boolean,
  path: string,
  problems: string[],
): boolean {
  const value = fields[key];
  if (value === undefined || typeof value === "boolean") return value ?? otherwise;
  problems.push(`${path}${key}: ${JSON.stringify(value)} is not true or false`);
  return otherwise;
}

function text(fields: Fields, key: string, otherwise: string, problems: string[]): string {
  const value = fields[key];
  if (value === undefined || typeof value === "string") return value ?? otherwise;
  problems.push(`${key}: a text`);
  return otherwise;
}
