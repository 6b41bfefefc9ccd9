// The largest rate of requests that keeps a p99, simulated.
import { FIRST_SHARES, nextShare, type RatePoint } from "../../../core/plan/rate.ts";
import { p99Ns } from "../../../core/plan/service.ts";
import type { Scenario } from "../../../core/scenario/scenario.ts";
import type { Simulator } from "./simulator.ts";
import { stormOf } from "./storms.ts";

/** Requests of each storm. */
export const REQUESTS = 600;

export interface RateQuestion {
  readonly arrivals: "poisson" | "even";
  readonly cap: number;
  /** Boots a second that the cap allows. */
  readonly capacity: number;
  readonly targetNs: number;
  readonly replications: number;
}

export async function ratePoints(
  simulator: Simulator,
  scenario: Scenario,
  question: RateQuestion,
): Promise<readonly RatePoint[]> {
  const point = (share: number) => ratePoint(simulator, scenario, question, share);
  const points = await Promise.all(FIRST_SHARES.map(point));
  for (;;) {
    const next = nextShare(points, question.targetNs);
    if (next === undefined) break;
    points.push(await point(next));
  }
  return points.sort((a, b) => a.share - b.share);
}

async function ratePoint(
  simulator: Simulator,
  scenario: Scenario,
  { arrivals, cap, capacity, replications }: RateQuestion,
  share: number,
): Promise<RatePoint> {
  const kind = arrivals === "poisson" ? "poisson" : "rate";
  const storm = stormOf(scenario, REQUESTS, {
    cap,
    arrivals: { kind, perSecond: share * capacity },
  });
  const runs = await simulator.runs(storm, replications);
  return { share, p99Ns: p99Ns(runs), p99NsOfReplication: runs.map((run) => p99Ns([run])) };
}
