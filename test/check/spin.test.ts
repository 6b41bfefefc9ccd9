import { beforeAll, describe, expect, it } from "vitest";
import { breaksSomeLaw } from "../../src/core/check/check.ts";
import { collapseFamily, designOf, nameOf, splitFamily } from "./family.ts";
import type { Member } from "./promela.ts";
import { compileSpin, type Spin } from "./spin.ts";

const ours = (member: Member, cpus: number) =>
  breaksSomeLaw({
    design: designOf(member),
    operations: member.operations,
    cpus,
    regions: 1,
    tlbRule: "note-2007",
    memoryModel: "sc",
    flush: "broadcast",
  });

describe.each(JSON.parse(process.env.CPUS??'[2,3]') as number[])("%i CPUs", (cpus) => {
  let spin: Spin;
  beforeAll(async () => {
    spin = await compileSpin(cpus);
  });
  it.each([
    ["split", splitFamily()],
    ["collapse", collapseFamily()],
  ] as const)("SPIN agrees on every design of the %s family", async (_name, family) => {
    const differ: string[] = [];
    const t = Date.now();
    let states = 0,
      max = 0,
      broken = 0;
    for (const member of family) {
      const answer = await spin.check(member);
      states += answer.states;
      max = Math.max(max, answer.states);
      broken += answer.broken ? 1 : 0;
      if (answer.broken !== ours(member, cpus))
        differ.push(`${nameOf(member)} SPIN: ${answer.text}`);
    }
    console.log(cpus, family.length, "broken", broken, Date.now() - t, "ms", states, max);
    expect(differ).toEqual([]);
  });
});
