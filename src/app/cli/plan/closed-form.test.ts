// Plans of hosts that are simple enough for a formula: nothing here is compared with another run of the
// simulator.
import { expect, test } from "vitest";
import { COST_KEYS, COST_TABLES } from "../../../core/kernel/cost/cost-table.ts";
import { DESIGNS } from "../../../core/kernel/design/index.ts";
import { gainOf } from "../../../core/plan/confirm.ts";
import { boundBoots } from "../../../core/plan/demand.ts";
import { largestShare } from "../../../core/plan/rate.ts";
import { checkScenario } from "../../../core/scenario/read.ts";
import type { Phase, Scenario } from "../../../core/scenario/scenario.ts";
import { simulate } from "../../../core/sim/simulate.ts";
import { cappedStorm } from "../../../core/sim/theory.ts";
import { stormRunOf } from "../simulate/storm.ts";
import { outlookOf } from "./outlook.ts";
import { ratePoints } from "./rate.ts";
import type { Simulator } from "./simulator.ts";
import { stormOf } from "./storms.ts";

const NAMES = {
  designs: DESIGNS.map(({ name }) => name),
  costTables: [...COST_TABLES.keys()],
  costs: COST_KEYS,
};
/** Only what a test names takes time. */
const FREE = Object.fromEntries(
  COST_KEYS.filter((key) => key !== "timeSlice").map((key) => [key, 0]),
);

/** Memory that nobody accepts costs the simulator time. */
const SMALL = { count: 1, memoryMiB: 2, kernelMiB: 0, firmwareMiB: 0, launchExtraPages: 0 };

/** A host on which nothing is left to chance. */
function scenarioOf(change: {
  readonly cpus: number;
  readonly phases: readonly Phase[];
  readonly ns?: Readonly<Record<string, number>>;
  readonly guests?: object;
  readonly psp?: object;
}): Scenario {
  const { cpus, phases, ns = {}, guests = {}, psp = {} } = change;
  const read = checkScenario(
    {
      name: "simple",
      title: "a formula says it all",
      host: {
        ...{ cpus, sockets: 1, coresPerL3: cpus, smt: 1, memoryGiB: 64, psp },
        directMap: { state: "warm" },
        costs: { ns: { ...FREE, ...ns } },
      },
      guests: [{ ...SMALL, phases, ...guests }],
      run: { phaseSpread: 0, grain: "sections" },
    },
    NAMES,
  );
  if (read.problems !== undefined) throw new Error(JSON.stringify(read.problems));
  return read.scenario;
}

const simulator: Simulator = {
  run: async (scenario, replication = 0) => {
    const seed = scenario.run.seed + replication;
    return stormRunOf(simulate({ ...scenario, run: { ...scenario.run, seed } }));
  },
  runs: (scenario, replications) =>
    Promise.all(Array.from({ length: replications }, (_, r) => simulator.run(scenario, r))),
  stage: () => {},
  end: async () => {},
};

/** Boots a second with n in service are min(n/T, 1/D); the knee is at 95 % of 1/D. */
async function checkLaw(
  scenario: Scenario,
  theory: { readonly resource: string; readonly aloneNs: number; readonly demandNs: number },
): Promise<void> {
  const { resource, aloneNs, demandNs } = theory;
  const { demand, points, knee } = await outlookOf(simulator, scenario, { replications: 1 });
  expect(demand.resources[0]).toEqual({ name: resource, demandNs });
  expect(demand.aloneNs).toBe(aloneNs);
  expect(boundBoots(demand)).toBeCloseTo(aloneNs / demandNs, 10);
  for (const { boots, perSecond } of points) {
    const expected = Math.min(boots / aloneNs, 1 / demandNs) * 1e9;
    expect(perSecond[0]! / expected, `${boots} in service`).toBeCloseTo(1, 2);
  }
  const most = points.at(-1)!.boots;
  expect(knee).toBe(Math.ceil(0.95 * Math.min(most, aloneNs / demandNs)));
}

test("bound by CPUs: the knee is their number", async () => {
  const phases: Phase[] = [{ kind: "run", name: "work", ms: 1000 }];
  await checkLaw(scenarioOf({ cpus: 4, phases }), {
    ...{ resource: "CPUs", aloneNs: 1e9, demandNs: 1e9 / 4 },
  });
});

test("boots that mostly wait: CPUs serve more of them than there are CPUs", async () => {
  const phases: Phase[] = [
    { kind: "run", name: "work", ms: 200 },
    { kind: "wait", name: "device", ms: 600 },
  ];
  const scenario = scenarioOf({ cpus: 2, phases });
  const { demand, points } = await outlookOf(simulator, scenario, { replications: 1 });
  expect(boundBoots(demand)).toBe(8);
  // Boots that take turns end together, so that a few at the ends of the time count or do not.
  for (const { boots, perSecond } of points.filter((point) => point.boots < 8)) {
    expect(perSecond[0]! / (boots / 0.8), `${boots} in service`).toBeGreaterThan(0.9);
    expect(perSecond[0]! / (boots / 0.8), `${boots} in service`).toBeLessThan(1.01);
  }
  expect(points.at(-1)!.perSecond[0]! / 10).toBeCloseTo(1, 0);
});

test("bound by the PSP: its time a launch", async () => {
  const phases: Phase[] = [
    { kind: "launch", name: "launch" },
    { kind: "wait", name: "rest", ms: 900 },
  ];
  const psp = { fixedMs: 100, updateMs: 0, firstUpdateMs: 0 };
  await checkLaw(scenarioOf({ cpus: 64, phases, psp }), {
    ...{ resource: "sev_cmd_mutex", aloneNs: 1e9, demandNs: 1e8 },
  });
});

test("bound by one lock, first come first served: max(n·S, S + Z) a page", async () => {
  // Each page is unmapped once: one round under cpa_lock, of which only this takes time.
  const ns = { writePte: 1000, fault4k: 7000 };
  const guests = { memoryMiB: 8, pscEntries: 253 };
  const pages = 8 * 256;
  const phases: Phase[] = [{ kind: "accept", name: "accept" }];
  await checkLaw(scenarioOf({ cpus: 64, phases, ns, guests }), {
    ...{ resource: "cpa_lock", aloneNs: pages * 8000, demandNs: pages * 1000 },
  });
});

/** P(W ≤ t) of M/D/1, service of 1. Source: Erlang 1909; Tijms, "A First Course in Stochastic Models", 9.6. */
function waitAtMost(load: number, t: number): number {
  let sum = 0;
  let factorial = 1;
  for (let k = 0; k <= Math.floor(t); k += 1) {
    if (k > 0) factorial *= k;
    sum += ((load * (k - t)) ** k / factorial) * Math.exp(-load * (k - t));
  }
  return (1 - load) * sum;
}

function loadOf(p99: number): number {
  let [low, high] = [0, 1];
  for (let i = 0; i < 40; i += 1) {
    const load = (low + high) / 2;
    if (waitAtMost(load, p99 - 1) > 0.99) low = load;
    else high = load;
  }
  return low;
}

test("one CPU is M/D/1: the rate for a p99 is that of its waiting time distribution", async () => {
  const phases: Phase[] = [{ kind: "run", name: "work", ms: 10 }];
  const scenario = scenarioOf({ cpus: 1, phases });
  const kind = { arrivals: "poisson", cap: 1, capacity: 100, replications: 24 } as const;
  for (const target of [3, 6]) {
    const targetNs = target * 1e7;
    const points = await ratePoints(simulator, scenario, { ...kind, targetNs });
    const off = largestShare(points, targetNs) - loadOf(target);
    // 11,520 boots a point: the tail has some 100.
    expect(Math.abs(off), `p99 of ${target} boots: ${loadOf(target)}`).toBeLessThan(0.03);
  }
});

test("evenly spaced requests of boots that are all alike wait for nobody below the capacity", async () => {
  const phases: Phase[] = [{ kind: "run", name: "work", ms: 10 }];
  const question = {
    arrivals: "even",
    cap: 2,
    capacity: 200,
    targetNs: 1.1e7,
    replications: 2,
  } as const;
  const points = await ratePoints(simulator, scenarioOf({ cpus: 2, phases }), question);
  for (const { p99Ns } of points) expect(p99Ns).toBe(1e7);
  expect(largestShare(points, 1.1e7)).toBeGreaterThan(0.97);
});

test("a cap at the CPUs takes off the mean what theory says: (N/k + 1)/2 turns instead of N/k", async () => {
  const phases: Phase[] = [{ kind: "run", name: "work", ms: 1000 }];
  const scenario = scenarioOf({ cpus: 2, phases });
  const meanNs = async (cap: number | undefined) => {
    const storm = stormOf(scenario, 8, { cap, arrivals: { kind: "together" } });
    const { bootsNs } = await simulator.run(storm);
    return Array.from(bootsNs).reduce((sum, ns) => sum + ns, 0) / 8;
  };
  const theory = cappedStorm({ tasks: 8, pages: 1, holdNs: 5e8, thinkNs: 5e8 }, 2);
  expect(await meanNs(2)).toBe(theory.meanNs);
  // Time slices of 3 ms: all end in the last turn.
  expect(gainOf(await meanNs(undefined), theory.meanNs)).toBeCloseTo(1 - 2.5 / 4, 2);
});
