import { expect, it } from "vitest";
import { explore } from "../../src/core/check/explore.ts";
import { createInstance, type InstanceSetup } from "../../src/core/check/instance.ts";
import { OPERATION_SETS, type Question, setupOf } from "../../src/core/check/question.ts";
import { DESIGN_BY_NAME } from "../../src/core/kernel/design/index.ts";
import type { Design } from "../../src/core/kernel/design.ts";
import { bitsOf, lawsUnder } from "../../src/core/kernel/law.ts";
import { bruteForce } from "./brute.ts";
import { collapseFamily, designOf, splitFamily } from "./family.ts";

const laws = bitsOf(lawsUnder("note-2007"));

const reductions = [
  { merge: false, symmetry: false },
  { merge: true, symmetry: false },
  { merge: false, symmetry: true },
  { merge: true, symmetry: true },
];

/** Every state past every broken law is left out on both sides, so that counts can be compared. */
function search(setup: InstanceSetup, reduction: { merge: boolean; symmetry: boolean }) {
  return explore(createInstance(setup), {
    ...reduction,
    laws,
    pastViolations: true,
    statesMax: 1e6,
    memoryBytes: 2 ** 29,
    shouldStop: () => false,
    onProgress: () => {},
    progressStatesMax: 0,
  });
}

function setupFor(
  design: Design,
  operations: string,
  cpus: number,
  more: Partial<Question> = {},
): InstanceSetup {
  return setupOf({
    ...more,
    design,
    operations,
    cpus,
    regions: 1,
    tlbRule: "note-2007",
    memoryModel: "sc",
    flush: "broadcast",
  });
}

function disagreements(setup: InstanceSetup): string[] {
  const brute = bruteForce(createInstance(setup), laws);
  const tree = bruteForce(createInstance(setup, false), laws);
  const [plain, ...reduced] = reductions.map((reduction) => search(setup, reduction));
  const same = (other: { broken: number }) => (other.broken !== 0) === (brute.broken !== 0);
  return [
    ...(plain!.states === brute.states
      ? []
      : [`${plain!.states} states, ${brute.states} by force`]),
    ...(plain!.broken === brute.broken ? [] : ["other laws broken than by force"]),
    ...(tree.broken === brute.broken ? [] : ["other laws broken when nodes are histories"]),
    ...(reduced[1]!.orbits === plain!.states ? [] : [`orbits ${reduced[1]!.orbits}`]),
    ...(reduced[2]!.orbits === reduced[0]!.states ? [] : [`merged orbits ${reduced[2]!.orbits}`]),
    ...(reduced.every(same) ? [] : ["another verdict with reductions"]),
  ].map((text) => `${setup.design.name}: ${text}`);
}

it("reduced and unreduced search say the same of every design of the family, 2 CPUs", () => {
  const all = [...splitFamily(["ro", "set_direct_map"]), ...collapseFamily()];
  expect(all.flatMap((m) => disagreements(setupFor(designOf(m), m.operations, 2)))).toEqual([]);
});

it("and of every shipped design and mutant for every kind of operation, 2 CPUs", () => {
  const found = [...DESIGN_BY_NAME.values()].flatMap((design) =>
    OPERATION_SETS.flatMap(({ name }) => disagreements(setupFor(design, name, 2))),
  );
  expect(found).toEqual([]);
});

it("and below a 1 GiB entry, and in two regions", () => {
  const found = [...DESIGN_BY_NAME.values()].flatMap((design) =>
    ["set_direct_map", "ro", "collapse", "psc-6.9"].flatMap((name) => [
      ...disagreements(setupFor(design, name, 2, { start: "1g" })),
      ...disagreements(setupFor(design, name, 2, { regions: 2 })),
    ]),
  );
  expect(found).toEqual([]);
});

it("and of every shipped design for three CPUs", () => {
  const found = [...DESIGN_BY_NAME.values()].flatMap((design) =>
    ["set_direct_map", "ro", "collapse", "same-page"].flatMap((name) =>
      disagreements(setupFor(design, name, 3)),
    ),
  );
  expect(found).toEqual([]);
});
