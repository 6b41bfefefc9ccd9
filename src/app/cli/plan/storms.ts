// The storms from which a plan is made, as scenarios.
import { vmsInService } from "../../../core/plan/service.ts";
import type { PolicySpec } from "../../../core/policy/policy.ts";
import { POLICIES } from "../../../core/policy/registry.ts";
import type { Arrivals, Scenario } from "../../../core/scenario/scenario.ts";
import { mixtureOf } from "../storm/mixture.ts";

/** Requests come a tenth faster than boots can end, so that nobody's place stays empty. */
const AHEAD = 1.1;

/** So many in service, begun evenly over a boot's time: boots that began together stay in step for long. */
export function serviceStorm(scenario: Scenario, boots: number, aloneNs: number): Scenario {
  return stormOf(scenario, vmsInService(boots), {
    cap: boots,
    arrivals: { kind: "rate", perSecond: (1e9 * AHEAD * boots) / aloneNs },
  });
}

/** @param cap  boots in service at once; undefined: no limit */
export function stormOf(
  scenario: Scenario,
  vms: number,
  { cap, arrivals }: { readonly cap: number | undefined; readonly arrivals: Arrivals },
): Scenario {
  return {
    ...scenario,
    guests: guestsOf(scenario, vms),
    arrivals,
    policy: [...(cap === undefined ? [] : [bootCap(cap)]), ...otherPolicies(scenario)],
  };
}

/** The first VMs, the groups in their proportion. */
function guestsOf({ guests }: Scenario, vms: number): Scenario["guests"] {
  const [only, ...others] = guests;
  if (others.length === 0) return [{ ...only!, count: vms }];
  const turns = mixtureOf(
    guests.map(({ count }) => count),
    vms,
  );
  return turns.map((group) => ({ ...guests[group]!, count: 1 }));
}

function bootCap(boots: number): PolicySpec {
  return { name: "boot-cap", options: { boots } };
}

/** Those that say when a VM may start are what is planned. */
function otherPolicies({ policy }: Scenario): readonly PolicySpec[] {
  return policy.filter(({ name }) => POLICIES.get(name)?.delays !== "boot");
}
