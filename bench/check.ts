// The checker, beside SPIN on the same questions in the same run.
//   node scripts/prepare.mjs && npx tsx bench/check.ts
import { execFileSync } from "node:child_process";
import { performance } from "node:perf_hooks";
import { checkDesign, DEFAULT_LIMITS } from "../src/core/check/check.ts";
import { explore } from "../src/core/check/explore.ts";
import { createInstance } from "../src/core/check/instance.ts";
import { setupOf, TABLE_OPERATIONS } from "../src/core/check/question.ts";
import { DESIGN_BY_NAME, DESIGNS } from "../src/core/kernel/design/index.ts";
import type { Design } from "../src/core/kernel/design.ts";
import { bitsOf, lawsUnder } from "../src/core/kernel/law.ts";
import { designOf, splitFamily } from "../test/check/family.ts";
import { compileSpin } from "../test/check/spin.ts";

const asked = {
  regions: 1,
  tlbRule: "note-2007",
  memoryModel: "sc",
  flush: "broadcast",
} as const;

/** Best of some runs: this machine is shared. */
function best<T>(runs: number, work: () => T): { ms: number; result: T } {
  let ms = Number.POSITIVE_INFINITY;
  let result: T | undefined;
  for (let i = 0; i < runs; i += 1) {
    const start = performance.now();
    result = work();
    ms = Math.min(ms, performance.now() - start);
  }
  return { ms, result: result! };
}

function search(
  design: Design,
  operations: string,
  cpus: number,
  symmetry: boolean,
  merge: boolean,
) {
  const setup = setupOf({ ...asked, design, operations, cpus });
  return explore(createInstance(setup), {
    ...DEFAULT_LIMITS,
    laws: bitsOf(lawsUnder("note-2007")),
    symmetry,
    merge,
    pastViolations: false,
    progressStatesMax: 0,
  });
}

const line = (...cells: (string | number)[]) => console.log(cells.join(" | "));

console.log("## Every design, 4 CPUs, a verdict from a cold process (node starts, loads, answers)");
const slowest = { ms: 0, what: "" };
for (const design of DESIGNS) {
  for (const operations of TABLE_OPERATIONS) {
    const code = `
      import { checkDesign } from ${JSON.stringify(`${process.cwd()}/dist/core/check/check.js`)};
      import { DESIGN_BY_NAME } from ${JSON.stringify(`${process.cwd()}/dist/core/kernel/design/index.js`)};
      const design = DESIGN_BY_NAME.get(${JSON.stringify(design.name)});
      checkDesign({ ...${JSON.stringify(asked)}, design, operations: ${JSON.stringify(operations)}, cpus: 4 });`;
    const { ms } = best(1, () => execFileSync("node", ["--input-type=module", "-e", code]));
    if (ms > slowest.ms) Object.assign(slowest, { ms, what: `${design.name} ${operations}` });
  }
}
line("slowest", slowest.what, `${Math.round(slowest.ms)} ms`);

console.log("## The patch of December 2022: law, shortest run, minimised, after load");
const patch = DESIGN_BY_NAME.get("no-cpa-lock")!;
const first = best(1, () => checkDesign({ ...asked, design: patch, operations: "ro", cpus: 4 }));
const found = first.result.counterexample!.replay;
line(`${first.ms.toFixed(1)} ms`, `${found.steps.length} steps`, `${found.preemptions} preemption`);

console.log("## 5 CPUs, every state stored, CPUs told apart: largest safe designs");
const safe = DESIGNS.flatMap((design) =>
  TABLE_OPERATIONS.filter((o) => o !== "same-page").map((operations) => ({ design, operations })),
).filter(({ design, operations }) => !search(design, operations, 3, true, true).broken);
const sizes = safe
  .map((s) => ({ ...s, states: search(s.design, s.operations, 4, false, true).states }))
  .sort((a, b) => b.states - a.states);
for (const { design, operations } of sizes.slice(0, 3)) {
  for (const merge of [true, false]) {
    const { ms, result } = best(1, () => search(design, operations, 5, false, merge));
    line(
      design.name,
      operations,
      merge ? "lock steps merged" : "nothing merged",
      `${result.states} states`,
      `${Math.round(ms)} ms`,
      `${Math.round(result.bytes / 1e6)} MB`,
      `${(result.states / ms / 1000).toFixed(2)} M states/s`,
    );
  }
}

console.log("## 8 and 12 CPUs by symmetry: slowest three safe designs");
for (const cpus of [8, 12]) {
  const rows = safe.map(({ design, operations }) => {
    const { ms, result } = best(1, () => search(design, operations, cpus, true, true));
    return { design, operations, ms, result };
  });
  for (const { design, operations, ms, result } of rows.sort((a, b) => b.ms - a.ms).slice(0, 3)) {
    line(
      cpus,
      design.name,
      operations,
      `${result.states} states for ${result.orbits}`,
      `${Math.round(ms)} ms`,
      `${Math.round(result.bytes / 1e6)} MB`,
    );
  }
}

console.log(
  "## SPIN on the same question: spin -a, gcc -O2, and the verifier; ours from a cold start",
);
const member = splitFamily(["ro"]).find(
  (m) =>
    m.cpa === 1 && m.splitLock === 1 && m.storeLock === 0 && m.splitFlush === 0 && m.recheck === 1,
)!;
for (const cpus of [2, 3, 4]) {
  const start = performance.now();
  const spin = await compileSpin(cpus);
  const compiled = performance.now();
  const answer = await spin.check(member);
  const end = performance.now();
  await spin.remove();
  const ours = best(1, () => search(designOf(member), "ro", cpus, false, false));
  line(
    `4.20, ro, ${cpus} CPUs`,
    `SPIN ${Math.round(compiled - start)} ms to build, ${Math.round(end - compiled)} ms to run, ${answer.states} states`,
    `ours ${ours.ms.toFixed(1)} ms, ${ours.result.states} states, nothing reduced`,
  );
}

console.log("## The verdict table: all designs, five kinds of operations, 4 CPUs");
const table = best(1, () =>
  DESIGNS.map((design) =>
    TABLE_OPERATIONS.map((operations) => checkDesign({ ...asked, design, operations, cpus: 4 })),
  ),
);
line(`${Math.round(table.ms)} ms`, `${table.result.flat().length} verdicts`);
