import type { BootRun } from "../../../core/plan/boot-run.ts";
import type { Scenario } from "../../../core/scenario/scenario.ts";
import type { Session } from "../run.ts";
import { type CostFiles, costsOfFile } from "../simulate/costs.ts";
import { openStormPool } from "../simulate/pool.ts";

/** Storms on all cores; says how many are done. */
export interface Simulator {
  /** Replication r has the seed of the scenario plus r: the same chance for everything compared. */
  run(scenario: Scenario, replication?: number): Promise<BootRun>;
  runs(scenario: Scenario, replications: number): Promise<readonly BootRun[]>;
  /** What the storms that follow are for, and which share of the work is behind. */
  stage(what: string, done: number): void;
  end(): Promise<void>;
}

export function openSimulator({ signal, progress }: Session, costFiles: CostFiles): Simulator {
  const pool = openStormPool(signal, (scenario) => costsOfFile(scenario, costFiles));
  let storms = 0;
  let stage = { what: "simulating", done: 0 };
  const say = () => progress.step(`${stage.what}: ${storms} storms simulated`, stage.done);
  async function run(scenario: Scenario, replication = 0): Promise<BootRun> {
    const seed = (scenario.run.seed + replication) >>> 0;
    const done = await pool.simulate({ ...scenario, run: { ...scenario.run, seed } });
    storms += 1;
    say();
    return done;
  }
  return {
    run,
    runs: (scenario, replications) =>
      Promise.all(Array.from({ length: replications }, (_, r) => run(scenario, r))),
    stage(what, done) {
      stage = { what, done };
      say();
    },
    end: pool.end,
  };
}
