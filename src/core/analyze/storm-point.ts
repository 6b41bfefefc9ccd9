import { type Distribution, distributionOf } from "../stats/distribution.ts";
import type { StormLockRun, StormRun } from "./storm-run.ts";

/** A field of the scenario that a sweep sets. */
export interface StormField {
  readonly path: string;
  /** As the scenario says it; policies are lists of records. */
  readonly value: number | string | boolean | readonly object[];
  /** The value in a few words, different for different values. */
  readonly label: string;
}

/** What one combination of swept fields comes to, over all its replications. */
export interface StormPoint {
  readonly fields: readonly StormField[];
  readonly vms: number;
  readonly replications: number;
  readonly grain: string;
  /** Relative, of a boot time against the exact grain; the worst of the replications. */
  readonly errorBound: number;
  /** Of all VMs of all replications; low and high bound the median over the replications. */
  readonly bootMs: Distribution;
  /** Mean of the replications, as all that follows. */
  readonly makespanMs: number;
  readonly locks: readonly StormLock[];
  /** What the VMs waited for most; absent when nothing was waited for. */
  readonly bottleneck?: { readonly name: string; readonly shareOfBoot: number };
  readonly phasesMs: Readonly<Record<string, number>>;
  readonly heldBackMs: number;
  readonly cpu: StormRun["cpu"];
  readonly bound: StormBound;
}

export interface StormLock {
  readonly name: string;
  readonly waitMs: number;
  readonly holdMs: number;
  readonly utilisation: number;
  readonly shareOfBoot: number;
}

/** What theory says of a point, from one VM alone: no order of events can be faster. */
export interface StormBound {
  /** Boot time of one VM that nobody disturbs. */
  readonly aloneMs: number;
  /** The lock that a boot holds longest, and how long; absent when it takes none. */
  readonly lock?: { readonly name: string; readonly holdMs: number };
  /** From so many VMs on they must wait for each other; absent without a lock. */
  readonly kneeVms?: number;
  /** The storm cannot be over earlier. */
  readonly makespanMs: number;
}

/** @param runs  at least one; the replications of one point */
export function stormPoint(
  fields: readonly StormField[],
  runs: readonly StormRun[],
  bound: StormBound,
): StormPoint {
  const locks = locksOf(runs);
  const most = locks.reduce((a, b) => (b.shareOfBoot > a.shareOfBoot ? b : a), locks[0]!);
  return {
    fields,
    vms: runs[0]!.bootsNs.length,
    replications: runs.length,
    grain: runs[0]!.grain,
    errorBound: Math.max(...runs.map((run) => run.errorBound)),
    bootMs: bootsOf(runs),
    makespanMs: mean(runs, (run) => run.makespanNs) / 1e6,
    locks,
    ...(most.shareOfBoot > 0
      ? { bottleneck: { name: most.name, shareOfBoot: most.shareOfBoot } }
      : {}),
    phasesMs: Object.fromEntries(
      Object.keys(runs[0]!.phasesNs).map((name) => [
        name,
        mean(runs, (run) => run.phasesNs[name] ?? 0) / 1e6,
      ]),
    ),
    heldBackMs: mean(runs, (run) => run.heldBackNs) / 1e6,
    cpu: {
      work: mean(runs, (run) => run.cpu.work),
      spin: mean(runs, (run) => run.cpu.spin),
      idle: mean(runs, (run) => run.cpu.idle),
    },
    bound,
  };
}

/**
 * VMs of one storm share its luck, so their number says nothing of how sure the median is: its
 * interval is that of the replications' medians.
 */
function bootsOf(runs: readonly StormRun[]): Distribution {
  const ofRun = runs.map((run) => Float64Array.from(run.bootsNs, (ns) => ns / 1e6));
  const all = distributionOf(ofRun.flatMap((boots) => [...boots]));
  const medians = distributionOf(ofRun.map((boots) => distributionOf(boots).median));
  return {
    ...all,
    low: Math.min(medians.low, all.median),
    high: Math.max(medians.high, all.median),
  };
}

function locksOf(runs: readonly StormRun[]): StormLock[] {
  const names = new Set(runs.flatMap((run) => run.locks.map((lock) => lock.name)));
  return [...names].map((name) => {
    const of = (quantity: (lock: StormLockRun) => number) =>
      mean(runs, (run) => {
        const lock = run.locks.find((each) => each.name === name);
        return lock === undefined ? 0 : quantity(lock); // nobody took it
      });
    return {
      name,
      waitMs: of((lock) => lock.waitNs) / 1e6,
      holdMs: of((lock) => lock.holdNs) / 1e6,
      utilisation: of((lock) => lock.utilisation),
      shareOfBoot: of((lock) => lock.shareOfBoot),
    };
  });
}

function mean<T>(items: readonly T[], value: (item: T) => number): number {
  return items.reduce((sum, item) => sum + value(item), 0) / items.length;
}
