import { describe, expect, it } from "vitest";
import { DESIGN_BY_NAME } from "./index.ts";
import { problemsOf, readDesign } from "./read.ts";

function problems(file: unknown): string[] {
  try {
    readDesign(file);
    return [];
  } catch (error) {
    return String((error as Error).message).split("\n  ");
  }
}

it("a design is its base and what the file changes", () => {
  const design = readDesign({
    name: "mine",
    base: "no-cpa-lock",
    locks: { pmd_lock: { kind: "spinlock", scope: "pmd" } },
    sections: { split: ["pmd_lock"], store: ["pmd_lock"] },
  });
  expect(design.sections).toMatchObject({
    decide: ["pgd_lock"],
    split: ["pmd_lock"],
    store: ["pmd_lock"],
    round: [],
  });
  expect(design.splitFlush).toBe("in-split");
});

it("a design written out and read again is the same", () => {
  for (const design of DESIGN_BY_NAME.values()) {
    expect(readDesign(JSON.parse(JSON.stringify(design)))).toEqual(design);
  }
});

it("every shipped design and mutant is free of contradictions", () => {
  for (const design of DESIGN_BY_NAME.values()) expect(problemsOf(design), design.name).toEqual([]);
});

describe("what is wrong is named with its path, all at once", () => {
  const cases: [string, unknown, string[]][] = [
    ["not an object", [], ["(file): a design is a JSON object"]],
    ["no name", {}, ["name: a design needs a name"]],
    [
      "unknown words",
      { name: "x", colour: 1, sections: { sploit: [] }, splitFlush: "later" },
      [
        expect.stringMatching(/^colour: unknown/) as unknown as string,
        expect.stringMatching(/^sections.sploit: unknown/) as unknown as string,
        'splitFlush: "later" is not one of in-split, in-round, after-round, none',
      ],
    ],
    [
      "a lock that is not there",
      { name: "x", sections: { store: ["pte_lock"] } },
      ['sections.store[0]: no lock "pte_lock" in locks (cpa_lock, pgd_lock)'],
    ],
    [
      "a lock inside itself",
      { name: "x", sections: { store: ["cpa_lock"] } },
      ["sections.store[0]: cpa_lock is held here already: the CPU would wait for itself"],
    ],
    [
      "reading a spinlock",
      { name: "x", sections: { store: ["pgd_lock:read"] } },
      ["sections.store[0]: a spinlock has no read side; locks.pgd_lock.kind: rwlock, rwsem"],
    ],
    [
      "a mark that nobody clears",
      { name: "x", splitMark: true, splitFlush: "none" },
      ["splitMark: the mark says that a flush is pending, and splitFlush is none"],
    ],
    [
      "locks of a collapse that there is not",
      { name: "x", sections: { collapse: ["pgd_lock"] } },
      ["sections.collapse: locks a collapse, and collapse is none"],
    ],
    [
      "wrong kinds",
      { name: "x", locks: { "a b": { kind: "rcu" } }, recheck: { split: 1 }, preSplit: "yes" },
      [
        "locks.a b: not a C identifier",
        'locks.a b.kind: "rcu" is not one of spinlock, mutex, rwlock, rwsem',
        "locks.a b: no section takes it",
        "recheck.split: 1 is not true or false",
        'preSplit: "yes" is not true or false',
      ],
    ],
  ];
  it.each(cases)("%s", (_title, file, expected) => {
    expect(problems(file)).toEqual(expected);
  });
});
