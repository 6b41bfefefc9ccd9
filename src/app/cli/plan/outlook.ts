// What a modelled host can serve: by theory from one boot, and simulated by boots in service.
import { boundBoots, type Demand, demandOf } from "../../../core/plan/demand.ts";
import { firstCounts, kneeOf, nextCount, type ServicePoint } from "../../../core/plan/knee.ts";
import { servedPerSecond } from "../../../core/plan/service.ts";
import type { Scenario } from "../../../core/scenario/scenario.ts";
import { arrivalsNs } from "../../../core/sim/arrivals.ts";
import { aloneScenarios, servesOneAtATime } from "../simulate/bound.ts";
import type { Simulator } from "./simulator.ts";
import { serviceStorm } from "./storms.ts";

export interface Outlook {
  readonly demand: Demand;
  /** Ascending. */
  readonly points: readonly ServicePoint[];
  readonly knee: number;
}

/** @param also  numbers in service to simulate whether the knee needs them or not */
export async function outlookOf(
  simulator: Simulator,
  scenario: Scenario,
  { replications, also = [] }: { readonly replications: number; readonly also?: readonly number[] },
): Promise<Outlook> {
  const demand = await demandAlone(simulator, scenario);
  const point = (boots: number) =>
    servicePoint(simulator, scenario, { boots, aloneNs: demand.aloneNs, replications });
  const counts = [...new Set([...firstCounts(boundBoots(demand)), ...also])];
  const points = await Promise.all(counts.map(point));
  for (;;) {
    const next = nextCount(points);
    if (next === undefined) break;
    points.push(await point(next));
  }
  points.sort((a, b) => a.boots - b.boots);
  return { demand, points, knee: kneeOf(points) };
}

async function demandAlone(simulator: Simulator, scenario: Scenario): Promise<Demand> {
  const { guests, host } = scenario;
  const all = guests.reduce((sum, { count }) => sum + count, 0);
  const runs = await Promise.all(aloneScenarios(scenario).map((alone) => simulator.run(alone)));
  const boots = runs.map((run, group) => ({ run, share: guests[group]!.count / all }));
  return demandOf(boots, (lock) => servesOneAtATime(host.design, lock));
}

async function servicePoint(
  simulator: Simulator,
  scenario: Scenario,
  {
    boots,
    aloneNs,
    replications,
  }: { readonly boots: number; readonly aloneNs: number; readonly replications: number },
): Promise<ServicePoint> {
  const storm = serviceStorm(scenario, boots, aloneNs);
  const runs = await simulator.runs(storm, replications);
  const perSecond = runs.map((run) => {
    const startsNs = arrivalsNs(storm.arrivals, run.bootsNs.length, storm.run.seed);
    return servedPerSecond(run, startsNs, boots);
  });
  return { boots, perSecond };
}
