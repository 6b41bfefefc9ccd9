// The whole plan: knee, rates, storm, limits and choices, each with how far it may be off.
import { COST_TABLES, type CostTable } from "../../../core/kernel/cost/cost-table.ts";
import type { BootRun } from "../../../core/plan/boot-run.ts";
import { choicesFor } from "../../../core/plan/choices.ts";
import { atEndOfRange } from "../../../core/plan/cost-ranges.ts";
import { boundBoots, boundPerSecond } from "../../../core/plan/demand.ts";
import { kneesOfReplications } from "../../../core/plan/knee.ts";
import {
  acceptingGuests,
  bootLimit,
  type Limits,
  leaseMs,
  pscLimit,
} from "../../../core/plan/limits.ts";
import {
  type Plan,
  type PlannedChoice,
  type PlannedRate,
  type PlannedStorm,
  resourcesMs,
  type StormTimes,
} from "../../../core/plan/plan.ts";
import { meanOf, type Planned, planned } from "../../../core/plan/planned.ts";
import { largestShare, largestSharesOfReplications } from "../../../core/plan/rate.ts";
import { sinceFirstNs } from "../../../core/plan/service.ts";
import type { Arrivals, Scenario } from "../../../core/scenario/scenario.ts";
import { arrivalsNs } from "../../../core/sim/arrivals.ts";
import { quantileSorted } from "../../../core/stats/distribution.ts";
import { usualVerdicts } from "../check/usual-verdicts.ts";
import type { Session } from "../run.ts";
import type { CostFiles } from "../simulate/costs.ts";
import { type Outlook, outlookOf } from "./outlook.ts";
import { type RateQuestion, ratePoints } from "./rate.ts";
import { openSimulator, type Simulator } from "./simulator.ts";
import { serviceStorm, stormOf } from "./storms.ts";

export interface PlanQuestion {
  readonly scenario: Scenario;
  /** Of the storm. */
  readonly vms: number;
  /** Undefined: twice the time of a boot alone. */
  readonly p99Ms: number | undefined;
  readonly replications: number;
  readonly costFiles: CostFiles;
}

/** A scenario whose costs are all low, or all high; what a plan's intervals come from, beside chance. */
interface End {
  readonly scenario: Scenario;
  readonly outlook: Outlook;
}

const ALONE_FACTOR = 2;

/** @throws BootstormError INTERRUPTED */
export async function planOf(session: Session, question: PlanQuestion): Promise<Plan> {
  const simulator = openSimulator(session, question.costFiles);
  try {
    return await planWith(session, simulator, question);
  } finally {
    await simulator.end();
  }
}

async function planWith(
  session: Session,
  simulator: Simulator,
  question: PlanQuestion,
): Promise<Plan> {
  const { scenario, vms, replications, costFiles } = question;
  simulator.stage("knee", 0);
  const outlook = await outlookOf(simulator, scenario, { replications });
  const { demand, knee } = outlook;
  simulator.stage("ranges of the costs", 0.2);
  const also = outlook.points.map(({ boots }) => boots);
  const table = tableOf(scenario, costFiles);
  const ends = await Promise.all(
    (["low", "high"] as const).map(async (end): Promise<End> => {
      const at = atEndOfRange(scenario, table, end);
      return { scenario: at, outlook: await outlookOf(simulator, at, { replications: 1, also }) };
    }),
  );
  const p99Ms = question.p99Ms ?? (ALONE_FACTOR * demand.aloneNs) / 1e6;
  const all = { simulator, scenario, outlook, ends, replications };
  simulator.stage("start rates", 0.4);
  const rates = [
    await plannedRate(all, "poisson", p99Ms * 1e6),
    await plannedRate(all, "even", p99Ms * 1e6),
  ];
  simulator.stage("storm", 0.75);
  const even = rates.find(({ arrivals }) => arrivals === "even")!;
  const storm = await plannedStorm(all, vms, even.perSecond.value);
  const kneeBoots = planned(knee, [
    ...kneesOfReplications(outlook.points),
    ...ends.map((end) => end.outlook.knee),
  ]);
  const service = outlook.points.map(({ boots }) => ({
    boots,
    perSecond: throughputAt(all, boots),
    boundPerSecond: boundPerSecond(demand, boots),
  }));
  const perSecond = throughputAt(all, knee);
  const limits = await limitsOf(all, kneeBoots, perSecond.value);
  simulator.stage("choices", 0.8);
  const choices = await plannedChoices(session, all, storm);
  return {
    aloneMs: planned(
      demand.aloneNs / 1e6,
      ends.map((end) => end.outlook.demand.aloneNs / 1e6),
    ),
    target: { p99Ms, asked: question.p99Ms !== undefined },
    resources: resourcesMs(demand),
    boundBoots: boundBoots(demand),
    service,
    knee: kneeBoots,
    perSecond,
    rates,
    storm,
    limits,
    choices,
  };
}

/** What the steps of a plan share. */
interface Known {
  readonly simulator: Simulator;
  readonly scenario: Scenario;
  readonly outlook: Outlook;
  readonly ends: readonly End[];
  readonly replications: number;
}

function tableOf({ host }: Scenario, costFiles: CostFiles): CostTable {
  const file = costFiles.get(host.costs.table);
  const base = COST_TABLES.get(file?.base ?? host.costs.table)!;
  return file === undefined ? base : { ...base, ...file.costs };
}

function throughputAt({ outlook, ends }: Known, boots: number): Planned {
  const at = ({ points }: Outlook) => points.find((point) => point.boots === boots)!.perSecond;
  const own = at(outlook);
  return planned(meanOf(own), [...own, ...ends.flatMap((end) => at(end.outlook))]);
}

async function plannedRate(
  known: Known,
  arrivals: RateQuestion["arrivals"],
  targetNs: number,
): Promise<PlannedRate> {
  const { simulator, scenario, outlook, ends, replications } = known;
  const cap = outlook.knee;
  const at = async (each: Scenario, { points }: Outlook, storms: number) => {
    const capacity = meanOf(points.find(({ boots }) => boots === cap)!.perSecond);
    const question = { arrivals, cap, capacity, targetNs, replications: storms };
    return { capacity, points: await ratePoints(simulator, each, question) };
  };
  const [own, ...others] = await Promise.all([
    at(scenario, outlook, replications),
    ...ends.map((end) => at(end.scenario, end.outlook, 1)),
  ]);
  const { capacity, points } = own;
  return {
    arrivals,
    perSecond: planned(capacity * largestShare(points, targetNs), [
      ...largestSharesOfReplications(points, targetNs).map((share) => capacity * share),
      ...others.map((end) => end.capacity * largestShare(end.points, targetNs)),
    ]),
    points: points.map(({ share, p99Ns, p99NsOfReplication }) => ({
      perSecond: share * capacity,
      p99Ms: planned(
        p99Ns / 1e6,
        p99NsOfReplication.map((ns) => ns / 1e6),
      ),
    })),
  };
}

async function plannedStorm(
  known: Known,
  vms: number,
  pacedPerSecond: number,
): Promise<PlannedStorm> {
  const { simulator, scenario, outlook, ends, replications } = known;
  const together: Arrivals = { kind: "together" };
  const times = async (cap: number | undefined, arrivals: Arrivals): Promise<StormTimes> => {
    const question = { cap, arrivals };
    const [own, ...others] = await Promise.all([
      simulator.runs(stormOf(scenario, vms, question), replications),
      ...ends.map((end) => simulator.runs(stormOf(end.scenario, vms, question), 1)),
    ]);
    const startsNs = arrivalsNs(arrivals, vms, scenario.run.seed);
    const ready = (runs: readonly BootRun[]) =>
      runs.map((run) => Float64Array.from(sinceFirstNs(run, startsNs)).sort());
    const [first, rest] = [ready(own), ready(others.flat())];
    const ms = (of: (sorted: Float64Array) => number): Planned => {
      const values = first.map((sorted) => of(sorted) / 1e6);
      return planned(meanOf(values), [...values, ...rest.map((sorted) => of(sorted) / 1e6)]);
    };
    return {
      meanMs: ms((sorted) => meanOf([...sorted])),
      p99Ms: ms((sorted) => quantileSorted(sorted, 0.99)),
      allReadyMs: ms((sorted) => sorted.at(-1)!),
    };
  };
  const cap = outlook.knee;
  const [without, capped, paced] = await Promise.all([
    times(undefined, together),
    times(cap, together),
    times(cap, pacedPerSecond > 0 ? { kind: "rate", perSecond: pacedPerSecond } : together),
  ]);
  return { vms, without, with: capped, paced };
}

function meanBootNs({ bootsNs }: BootRun): number {
  return meanOf(Array.from(bootsNs));
}

/** What boots in service do at the knee is what the limits on guests and leases are made of. */
async function limitsOf(
  { simulator, scenario, outlook: { demand, knee } }: Known,
  kneeBoots: Planned,
  perSecond: number,
): Promise<Limits> {
  const guests = acceptingGuests(scenario);
  const run = await simulator.run(serviceStorm(scenario, knee, demand.aloneNs));
  const accept = guests?.phases.find(({ kind }) => kind === "accept");
  const acceptNs = accept === undefined ? 0 : (run.phasesNs[accept.name] ?? 0);
  return {
    boots: bootLimit(kneeBoots),
    ...(guests === undefined || acceptNs === 0
      ? {}
      : { psc: pscLimit(guests, acceptNs, perSecond) }),
    // Little's law: the mean time in service; a slow boot takes a few of it.
    leaseMs: leaseMs((1e9 * knee) / perSecond),
  };
}

/** What SNP hosts of 2022 do, and what other callers of the same code do. */
const OPERATIONS = ["set_direct_map", "ro"];

async function plannedChoices(
  session: Session,
  known: Known,
  storm: PlannedStorm,
): Promise<readonly PlannedChoice[]> {
  const { simulator, scenario, outlook } = known;
  const { vms } = storm;
  const choices = choicesFor(scenario);
  const designs = [...new Set([scenario, ...choices.map((one) => one.scenario)].map(designOf))];
  const [verdicts, others] = await Promise.all([
    usualVerdicts(session, designs, OPERATIONS),
    Promise.all(
      choices.map(async (choice) => {
        const { knee, points } = await outlookOf(simulator, choice.scenario, { replications: 1 });
        const together = { cap: knee, arrivals: { kind: "together" } } as const;
        const run = await simulator.run(stormOf(choice.scenario, vms, together));
        return { ...choice, knee, points, meanNs: meanBootNs(run), allReadyNs: run.makespanNs };
      }),
    ),
  ]);
  const verdictOf = (each: Scenario): PlannedChoice["verdict"] => {
    const words = verdicts
      .filter(({ verdict }) => verdict.design === designOf(each))
      .map(({ verdict }) => verdict.verdict);
    if (words.includes("unsafe")) return "unsafe";
    return words.every((word) => word === "safe") ? "safe" : "unknown";
  };
  const servedAt = ({ points, knee }: Pick<Outlook, "points" | "knee">) =>
    meanOf(points.find(({ boots }) => boots === knee)!.perSecond);
  return [
    {
      name: "as it is",
      verdict: verdictOf(scenario),
      knee: outlook.knee,
      perSecond: servedAt(outlook),
      meanMs: storm.with.meanMs.value,
      allReadyMs: storm.with.allReadyMs.value,
    },
    ...others.map((other) => ({
      name: other.name,
      verdict: verdictOf(other.scenario),
      knee: other.knee,
      perSecond: servedAt(other),
      meanMs: other.meanNs / 1e6,
      allReadyMs: other.allReadyNs / 1e6,
    })),
  ];
}

function designOf({ host }: Scenario): string {
  return host.design;
}
