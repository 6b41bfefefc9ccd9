import { COST_KEYS, type CostKey, type CostTable, EPYC_MILAN } from "../kernel/cost/cost-table.ts";
import type { Psp, Scenario } from "../scenario/scenario.ts";

/** How long a slice is is the scheduler's choice, no cost: shorter is not cheaper. */
const NO_COST: readonly CostKey[] = ["timeSlice"];

/**
 * The scenario with every cost at the same end of its range: the widest that the table allows. What
 * the scenario gives itself stays, for nobody said how far it may be off; so do the lengths of phases.
 */
export function atEndOfRange(scenario: Scenario, table: CostTable, end: "low" | "high"): Scenario {
  const { host } = scenario;
  const keys = COST_KEYS.filter((key) => !NO_COST.includes(key));
  const ns = Object.fromEntries(keys.map((key) => [key, table[key][end]]));
  return {
    ...scenario,
    host: {
      ...host,
      costs: { ...host.costs, ns: { ...ns, ...host.costs.ns } },
      psp: pspAt(host.psp, end),
    },
  };
}

/** A scenario says the PSP's times itself. Those it left at the table's have the table's ranges. */
function pspAt(psp: Psp, end: "low" | "high"): Psp {
  const ms = (own: number, key: "pspUpdate" | "pspFirstUpdate" | "pspFixed") =>
    own === EPYC_MILAN[key].ns / 1e6 ? EPYC_MILAN[key][end] / 1e6 : own;
  return {
    updateMs: ms(psp.updateMs, "pspUpdate"),
    firstUpdateMs: ms(psp.firstUpdateMs, "pspFirstUpdate"),
    fixedMs: ms(psp.fixedMs, "pspFixed"),
  };
}
