import type { Admission } from "./admission.ts";
import type { Cpus } from "./cpus.ts";
import type { LockBank } from "./lock-bank.ts";
import type { Phases } from "./phases.ts";
import type { Psp } from "./psp.ts";
import type { Bottleneck, LockResult, StormResult, VmResult } from "./result.ts";
import type { StormSetup } from "./setup.ts";
import type { StormTasks } from "./storm-tasks.ts";

/** A storm at some time of it, by what its parts have counted. */
export interface StormCounts {
  readonly nowNs: number;
  readonly tasks: StormTasks;
  readonly phases: Phases;
  readonly admission: Admission;
  readonly locks: LockBank;
  readonly psp: Psp;
  readonly cpus: Cpus;
  /** By VM. */
  readonly readyNs: Float64Array;
  readonly operations: number;
  readonly events: number;
  readonly flushes: number;
}

/** What came out, or has come out by now. */
export function stormResult(setup: StormSetup, counts: StormCounts): StormResult {
  const { nowNs, phases, locks, psp, operations, events, flushes } = counts;
  const { seed, grain } = setup;
  const begin = setup.vms.reduce((first, vm) => Math.min(first, vm.startNs), nowNs);
  const makespanNs = nowNs - begin;
  const vms = vmResults(setup, counts);
  const bootNs = vms.reduce((sum, vm) => sum + vm.bootNs, 0);
  const all = [...locks.results(nowNs, makespanNs, bootNs), psp.result(makespanNs, bootNs)];
  return {
    vms,
    makespanNs,
    locks: all,
    bottleneck: bottleneckOf(all),
    seed,
    grain,
    errorBound: 0,
    pages: phases.pages,
    operations,
    events,
    flushes,
    cpu: cpuShares(counts, makespanNs * setup.topology.cpus),
  };
}

export function bottleneckOf(locks: readonly LockResult[]): Bottleneck | undefined {
  const { name, shareOfBoot } = locks.reduce((a, b) => (b.shareOfBoot > a.shareOfBoot ? b : a));
  return shareOfBoot > 0 ? { name, shareOfBoot } : undefined;
}

function vmResults(
  { vms }: StormSetup,
  { tasks, phases, admission, locks, psp, readyNs }: StormCounts,
): VmResult[] {
  return vms.map(({ name, group, startNs }, v) => {
    const own = [v];
    for (let helper = tasks.helpers[v]!; helper < tasks.helpers[v + 1]!; helper += 1) {
      own.push(helper);
    }
    const sum = (ns: (task: number) => number) => own.reduce((all, task) => all + ns(task), 0);
    return {
      name,
      group,
      requestedNs: startNs,
      admittedNs: admission.admittedNs[v]!,
      readyNs: readyNs[v]!,
      bootNs: readyNs[v]! - startNs,
      phasesNs: phases.nsOfVm[v]!,
      lockWaitNs: sum((task) => locks.waitNsOf(task)),
      pspWaitNs: sum((task) => psp.waitNsOf(task)),
      heldBackNs: sum((task) => admission.heldBackNs(task)),
    };
  });
}

/** @param allNs  time of all CPUs */
function cpuShares({ nowNs, cpus, locks }: StormCounts, allNs: number): StormResult["cpu"] {
  const { busyNs } = cpus.totals(nowNs);
  // Waits are counted when they are granted, which may be ahead of now.
  const spinNs = Math.min(locks.spinNs(), busyNs);
  return {
    work: (busyNs - spinNs) / allNs,
    spin: spinNs / allNs,
    idle: Math.max(0, 1 - busyNs / allNs),
  };
}
