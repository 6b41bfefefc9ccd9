// All points of a scenario, with as many replications as it asks for, on all cores.
import { type StormPoint, stormPoint } from "../../../core/analyze/storm-point.ts";
import { replicationsNeeded } from "../../../core/analyze/storm-precision.ts";
import type { StormRun } from "../../../core/analyze/storm-run.ts";
import type { Scenario } from "../../../core/scenario/scenario.ts";
import type { SweepPoint } from "../../../core/scenario/sweep.ts";
import type { Session } from "../run.ts";
import { aloneScenarios, boundOf } from "./bound.ts";
import { type CostFiles, costsOfFile } from "./costs.ts";
import { openStormPool, type StormPool } from "./pool.ts";
import { sweepLabels } from "./sweep-labels.ts";

/**
 * Simulates every point. The answer depends on the points alone, not on the number of cores.
 * @param costFiles  those that the points name
 * @throws BootstormError INTERRUPTED
 */
export async function simulatePoints(
  { signal, progress }: Session,
  points: readonly SweepPoint[],
  costFiles: CostFiles = new Map(),
): Promise<readonly StormPoint[]> {
  const pool = openStormPool(signal, (scenario) => costsOfFile(scenario, costFiles));
  const total = points.reduce(
    (sum, { scenario }) => sum + stormSize(scenario) * planned(scenario),
    0,
  );
  let size = 0;
  let storms = 0;
  const say = () => progress.step(`${storms} storms simulated`, Math.min(0.99, size / total));
  const noted: StormPool = {
    ...pool,
    simulate: async (scenario) => {
      let counted = 0;
      const count = (done: number) => {
        size += stormSize(scenario) * (done - counted);
        counted = done;
        say();
      };
      const run = await pool.simulate(scenario, count);
      storms += 1;
      count(1);
      return run;
    },
  };
  try {
    progress.step("0 storms simulated", 0);
    const labels = sweepLabels(points);
    const done = new Array<StormPoint>(points.length);
    // The longest first: then no core is idle while another has still much to do.
    const order = points.map((_, i) => i);
    order.sort((a, b) => stormSize(points[b]!.scenario) - stormSize(points[a]!.scenario) || a - b);
    const alone = new Map<string, Promise<StormRun>>();
    await Promise.all(
      order.map(async (i) => {
        const { fields, scenario } = points[i]!;
        const [runs, bound] = await Promise.all([
          replications(noted, scenario),
          theory(pool, scenario, alone),
        ]);
        done[i] = stormPoint(
          fields.map(({ path, value }) => ({ path, value, label: labels(path, value) })),
          runs,
          bound,
        );
      }),
    );
    return done;
  } finally {
    await pool.end();
  }
}

/** Replication r has the seed of the scenario plus r: the same chance for every point. */
async function replications(pool: StormPool, scenario: Scenario): Promise<readonly StormRun[]> {
  const { seed, replications: wish } = scenario.run;
  const runs: StormRun[] = [];
  const more = async (count: number) => {
    const next = Array.from({ length: count }, (_, i) =>
      pool.simulate({
        ...scenario,
        run: { ...scenario.run, seed: (seed + runs.length + i) >>> 0 },
      }),
    );
    runs.push(...(await Promise.all(next)));
  };
  if (wish.kind === "count") {
    await more(wish.count);
    return runs;
  }
  for (let enough: number | undefined; ; ) {
    await more(runs.length === 0 ? wish.min : Math.min(wish.max - runs.length, growth(runs)));
    enough = replicationsNeeded(runs.map(meanBootNs), wish);
    if (enough !== undefined) return runs.slice(0, enough);
  }
}

/** A quarter more each time. */
function growth(runs: readonly StormRun[]): number {
  return Math.ceil(runs.length / 4);
}

function meanBootNs({ bootsNs }: StormRun): number {
  let sum = 0;
  for (let vm = 0; vm < bootsNs.length; vm += 1) sum += bootsNs[vm]!;
  return sum / bootsNs.length;
}

async function theory(pool: StormPool, scenario: Scenario, known: Map<string, Promise<StormRun>>) {
  const runs = aloneScenarios(scenario).map((alone) => {
    const key = JSON.stringify(alone);
    const run = known.get(key) ?? pool.simulate(alone);
    known.set(key, run);
    return run;
  });
  return boundOf(scenario, await Promise.all(runs));
}

/** About how long a storm takes to simulate, in pages. */
function stormSize({ guests, background }: Scenario): number {
  const own = guests.reduce((sum, group) => sum + group.count * group.memoryMiB, 0);
  return own * (1 + background.rmpupdateThreads);
}

function planned({ run: { replications: wish } }: Scenario): number {
  return wish.kind === "count" ? wish.count : wish.min;
}
