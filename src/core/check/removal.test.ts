import { expect, it } from "vitest";
import { DESIGN_BY_NAME } from "../kernel/design/index.ts";
import { linux420 } from "../kernel/design/linux-4.20.ts";
import type { Design } from "../kernel/design.ts";
import { labelOf } from "../kernel/operation.ts";
import { DEFAULT_LIMITS } from "./check.ts";
import { explore } from "./explore.ts";
import { createInstance } from "./instance.ts";
import { setupOf, TABLE_OPERATIONS } from "./question.ts";
import { removalsOf, removalTable } from "./removal.ts";

const asked = {
  cpus: 2,
  regions: 1,
  tlbRule: "note-2007",
  memoryModel: "sc",
  flush: "broadcast",
} as const;

const operations = [...TABLE_OPERATIONS, "collapse-writer", "collapse-np"];

/** Labels of the locks that are taken, and of the flushes that are done, by any kind of operation. */
function locksAndFlushes(design: Design): ReadonlySet<string> {
  const labels = operations.flatMap((name) => {
    const instance = createInstance(setupOf({ ...asked, design, operations: name }));
    // Law by law is of no interest here: no law ends the search.
    const found = explore(instance, {
      ...DEFAULT_LIMITS,
      merge: false,
      symmetry: false,
      laws: 0,
      pastViolations: true,
      progressStatesMax: 0,
    });
    return instance.automaton.nodes.flatMap(({ id, operation }) =>
      found.executed[id] && (operation?.op === "lock" || operation?.op === "flush")
        ? [labelOf(operation)]
        : [],
    );
  });
  return new Set(labels);
}

it("every lock that a safe design takes, and every flush it does, is missing from some removal", () => {
  const designs = [
    "linux-2.6.28",
    "linux-4.20",
    "linux-7.3-read-over-flush",
    "per-pmd-lock",
    "skip-for-present",
    "split-mark",
    "reader-writer",
    "pre-split",
  ].map((name) => DESIGN_BY_NAME.get(name)!);
  const kept = designs.flatMap((design) => {
    const removals = removalsOf(design).map((r) => locksAndFlushes(r.design));
    return [...locksAndFlushes(design)]
      .filter((label) => removals.every((labels) => labels.has(label)))
      .map((label) => `${design.name}: ${label}`);
  });
  expect(kept).toEqual([]);
});

it("what 4.20 can do without: pgd_lock, which cpa_lock covers, and the second look of the decision", () => {
  const rows = removalTable(linux420, [...TABLE_OPERATIONS, "collapse-writer"], asked);
  expect(rows.map((r) => `${r.what}: ${r.law?.id ?? `${r.outcome} ${r.coveredBy}`}`)).toEqual([
    "cpa_lock: C1-access",
    "pgd_lock in decide: redundant ",
    "pgd_lock in split: redundant cpa_lock",
    "pgd_lock: redundant cpa_lock",
    "the flush of a split: C1-access",
    "the second look of should_split: redundant ",
    "the second look of the split: C3-lost",
    "the final flush: C4-stale",
  ]);
});
