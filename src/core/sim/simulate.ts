import { assert } from "../assert.ts";
import { COST_TABLES, costsNs, EPYC_MILAN } from "../kernel/cost/cost-table.ts";
import { DESIGN_BY_NAME } from "../kernel/design/index.ts";
import { createPolicy } from "../policy/registry.ts";
import type { Scenario } from "../scenario/scenario.ts";
import { aggregate, canAggregate, operationsOf } from "./aggregate.ts";
import { type Resolved, stormOf } from "./from-scenario.ts";
import type { StormResult } from "./result.ts";
import { runInParts } from "./run-in-parts.ts";
import { Storm } from "./storm.ts";

/**
 * What a scenario names, by the names that are shipped. A policy has state: each run resolves anew.
 * Callers with a design or a cost table of their own give it.
 */
export function resolve(
  scenario: Scenario,
  own: Partial<Pick<Resolved, "design" | "costs">> = {},
): Resolved {
  const { host, policy } = scenario;
  const design = own.design ?? DESIGN_BY_NAME.get(host.design);
  assert(design !== undefined, `a scenario that was checked names a design, not ${host.design}`);
  const table = COST_TABLES.get(host.costs.table);
  assert(own.costs !== undefined || table !== undefined, `a cost table ${host.costs.table}`);
  return {
    design,
    costs: costsNs(table ?? EPYC_MILAN, own.costs ?? host.costs.ns),
    policy: policy.length === 0 ? undefined : createPolicy(policy),
  };
}

/**
 * One point of a sweep, one seed. A storm that cannot be aggregated, or is small enough to be run
 * exactly in half a second, is run in sections: the result says at which grain it was.
 * @param onProgress  hears now and then, in a storm that takes long, which share of it is done, 0..1
 */
export function simulate(
  scenario: Scenario,
  resolved = resolve(scenario),
  onProgress: (done: number) => void = () => {},
): StormResult {
  const setup = stormOf(scenario, resolved);
  const steady = scenario.policy.every(({ name }) => SEES_NO_EXITS.has(name));
  const asked = scenario.run.grain === "aggregated";
  // In a queue every task gets as far as every other: so do those of the background.
  const beside = setup.background.filter(({ phases }) => phases[0]!.kind === "pages").length;
  const operations = operationsOf(setup) * (1 + beside / setup.vms.length);
  const large = operations > AGGREGATED_OPERATIONS_MIN;
  if (asked && large && steady && canAggregate(setup)) return aggregate(setup);
  const storm = new Storm(setup);
  runInParts(storm, setup, operations, onProgress);
  return storm.result();
}

const AGGREGATED_OPERATIONS_MIN = 4_000_000;

/** Policies that look at boots alone, and at nothing that is measured in between. */
const SEES_NO_EXITS: ReadonlySet<string> = new Set([
  "none",
  "boot-cap",
  "boot-cap-aimd",
  "boot-cap-gradient",
  "boot-cap-work",
  "lazy-accept",
]);
