import { availableParallelism } from "node:os";
import { expect, it } from "vitest";
import { breaksSomeLaw } from "../../src/core/check/check.ts";
import { needs } from "../needs.ts";
import { collapseFamily, designOf, nameOf, splitFamily } from "./family.ts";
import type { Member } from "./promela.ts";
import { compileSpin } from "./spin.ts";

function breaks(member: Member, cpus: number): boolean {
  return breaksSomeLaw({
    design: designOf(member),
    operations: member.operations,
    cpus,
    regions: 1,
    tlbRule: "note-2007",
    memoryModel: "sc",
    flush: "broadcast",
  });
}

/** The members on which SPIN and we differ; and how many were safe and unsafe. */
async function compareWithSpin(cpus: number, family: readonly Member[]) {
  const spin = await compileSpin(cpus);
  const differ: string[] = [];
  const count = { safe: 0, unsafe: 0 };
  const left = [...family];
  const compareNext = async (): Promise<void> => {
    const member = left.pop();
    if (member === undefined) return;
    const answer = await spin.check(member);
    count[answer.broken ? "unsafe" : "safe"] += 1;
    if (answer.broken !== breaks(member, cpus)) differ.push(`${nameOf(member)}: ${answer.text}`);
    return compareNext();
  };
  await Promise.all(Array.from({ length: availableParallelism() }, compareNext));
  await spin.remove();
  return { differ, count };
}

it("SPIN agrees on every split design, 2 CPUs, two requests each", async (ctx) => {
  const missing = needs("program spin", "program gcc");
  if (missing) return ctx.skip(missing);
  const found = await compareWithSpin(2, splitFamily(["ro", "set_direct_map"]));
  expect(found).toEqual({ differ: [], count: { safe: 80, unsafe: 208 } });
});

// Present and not-present again takes SPIN up to 10 million states here: one request each.
it("SPIN agrees on every split design, 3 CPUs", async (ctx) => {
  const missing = needs("program spin", "program gcc");
  if (missing) return ctx.skip(missing);
  const found = await compareWithSpin(3, splitFamily(["ro", "invalid"]));
  expect(found).toEqual({ differ: [], count: { safe: 80, unsafe: 208 } });
});

for (const cpus of [2, 3]) {
  it(`SPIN agrees on every collapse design, ${cpus} CPUs`, async (ctx) => {
    const missing = needs("program spin", "program gcc");
    if (missing) return ctx.skip(missing);
    const found = await compareWithSpin(cpus, collapseFamily());
    expect(found).toEqual({ differ: [], count: { safe: 14, unsafe: 58 } });
  });
}
