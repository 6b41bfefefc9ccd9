// What theory says of a point without simulating it: asked of one VM alone.
import type { StormBound } from "../../../core/analyze/storm-point.ts";
import type { StormRun } from "../../../core/analyze/storm-run.ts";
import { DESIGN_BY_NAME } from "../../../core/kernel/design/index.ts";
import type { Scenario } from "../../../core/scenario/scenario.ts";
import { asymptoticRate, saturationPoint } from "../../../core/sim/theory.ts";

/** One scenario for each group of guests: a single VM of it, undisturbed and without chance. */
export function aloneScenarios(scenario: Scenario): Scenario[] {
  const { background, run } = scenario;
  return scenario.guests.map((group) => ({
    ...scenario,
    guests: [{ ...group, count: 1 }],
    arrivals: { kind: "together" },
    background: {
      ...background,
      rmpupdateThreads: 0,
      cpuBurners: 0,
      abusers: { ...background.abusers, count: 0 },
    },
    run: { ...run, spread: "none", phaseSpread: 0 },
  }));
}

/**
 * The asymptotic bound: N VMs need N times the hold of the lock that they use most, and at least as
 * long as one of them alone.
 * @param alone  the runs of `aloneScenarios`, in its order
 */
export function boundOf({ guests, host }: Scenario, alone: readonly StormRun[]): StormBound {
  const vms = guests.reduce((sum, group) => sum + group.count, 0);
  const aloneNs = Math.max(...alone.map((run) => run.makespanNs));
  const holds = alone[0]!.locks
    .filter(({ name }) => servesOneAtATime(host.design, name))
    .map(({ name }) => ({
      name,
      holdNs: guests.reduce((sum, { count }, g) => sum + count * holdOf(alone[g]!, name), 0) / vms,
    }));
  const most = holds.reduce((a, b) => (b.holdNs > a.holdNs ? b : a), { name: "", holdNs: 0 });
  if (most.holdNs === 0) return { aloneMs: aloneNs / 1e6, makespanMs: aloneNs / 1e6 };
  const storm = {
    tasks: vms,
    pages: 1,
    holdNs: most.holdNs,
    thinkNs: aloneNs - most.holdNs,
  };
  return {
    aloneMs: aloneNs / 1e6,
    lock: { name: most.name, holdMs: most.holdNs / 1e6 },
    kneeVms: saturationPoint(storm),
    makespanMs: vms / asymptoticRate(storm) / 1e6,
  };
}

function holdOf(run: StormRun, name: string): number {
  return run.locks.find((lock) => lock.name === name)!.holdNs;
}

/** Readers overlap, and so do holders of different PMDs' locks. */
export function servesOneAtATime(design: string, name: string): boolean {
  const lock = DESIGN_BY_NAME.get(design)!.locks[name];
  if (lock === undefined) return true;
  return lock.scope === "global" && (lock.kind === "spinlock" || lock.kind === "mutex");
}
