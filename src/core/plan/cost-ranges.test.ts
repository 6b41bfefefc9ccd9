import { expect, test } from "vitest";
import { COST_KEYS, COST_TABLES, EPYC_MILAN } from "../kernel/cost/cost-table.ts";
import { DESIGNS } from "../kernel/design/index.ts";
import { checkScenario } from "../scenario/read.ts";
import { atEndOfRange } from "./cost-ranges.ts";

const read = checkScenario(
  {
    name: "own",
    title: "one cost and one time of the PSP are the scenario's",
    host: { costs: { ns: { rmpupdate: 777 } }, psp: { fixedMs: 40 } },
  },
  {
    designs: DESIGNS.map(({ name }) => name),
    costTables: [...COST_TABLES.keys()],
    costs: COST_KEYS,
  },
);

test.for(["low", "high"] as const)(
  "%s: every cost of the table is at that end; what the scenario gives itself stays",
  (end) => {
    if (read.problems !== undefined) throw new Error(JSON.stringify(read.problems));
    const { costs, psp } = atEndOfRange(read.scenario, EPYC_MILAN, end).host;
    expect(costs.ns).toMatchObject({ fault4k: EPYC_MILAN.fault4k[end], rmpupdate: 777 });
    expect(psp).toMatchObject({ updateMs: EPYC_MILAN.pspUpdate[end] / 1e6, fixedMs: 40 });
  },
);
