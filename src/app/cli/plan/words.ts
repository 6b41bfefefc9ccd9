// What a plan rests on, in words.
import type { Confirmation } from "../../../core/plan/confirm.ts";
import type { Plan } from "../../../core/plan/plan.ts";
import type { Fact } from "../../../core/report/footer.ts";
import type { Scenario } from "../../../core/scenario/scenario.ts";
import { formatShare, threeDigits } from "../../../core/units.ts";
import type { CostFiles } from "../simulate/costs.ts";
import { simulationCaveats, simulationFacts } from "../simulate/words.ts";
import { REQUESTS } from "./rate.ts";

export interface PlanBasis {
  readonly scenario: Scenario;
  readonly plan: Plan;
  readonly replications: number;
  readonly costFiles: CostFiles;
}

export function planCaveats({ scenario, plan, replications, costFiles }: PlanBasis): string[] {
  const { knee } = plan;
  const about = { replications, errorBound: 0 };
  return [
    ...(costFiles.has(scenario.host.costs.table)
      ? []
      : [
          "Not calibrated: the costs are published ones, not this host's, and their ranges are wide. bootstorm calibrate measures some of them; --costs FILE plans with that",
        ]),
    "ranges: lowest to highest of the replications, and of a host whose costs are all at the low, or all at the high end of their ranges: no probability goes with them. Lengths of phases and costs that the scenario gives itself have no range and are taken as they are",
    `a p99 is that of ${REQUESTS * 0.8} boots a replication, the first fifth of them left out; the rate is known to 2 % of what the host can serve`,
    ...(knee.low < knee.value || knee.high > knee.value
      ? [
          "the rates, the storm and the limits are for the knee as planned, also at the ends of the ranges",
        ]
      : []),
    ...simulationCaveats(scenario, [about], costFiles).filter(
      (text) => !text.startsWith("fewer than"),
    ),
    ...(plan.confirmation === undefined ? [] : confirmationCaveats(plan.confirmation)),
  ];
}

function confirmationCaveats({ otherCpus, failed, from, gainFromAlone }: Confirmation): string[] {
  const { boots, sharingVms, sharing, neighbours } = from;
  return [
    `real boots: predicted from ${boots} boots that were alone in the same run, their CPU time and what they waited beside it, and from ${sharingVms} at once, which needed ${threeDigits(sharing)} times the CPU time each; boots alone would have predicted a gain of ${formatShare(gainFromAlone)}. Rounds with all VMs were not used`,
    `others kept ${threeDigits(otherCpus.alone)} CPUs busy beside boots alone, so ${neighbours} of their threads are in the prediction; beside the storms ${threeDigits(otherCpus.storm)}`,
    ...(failed === 0 ? [] : [`${failed} real boots failed: their rounds are in no mean`]),
  ];
}

export function planFacts({ scenario, replications }: PlanBasis): Fact[] {
  const left = ["arrivals", "policy", "run", "swept fields"];
  return [
    ...simulationFacts(scenario, []).filter(({ label }) => !left.includes(label)),
    {
      label: "run",
      text: `${replications} replications, grain ${scenario.run.grain}, seed ${scenario.run.seed} and following`,
    },
  ];
}
