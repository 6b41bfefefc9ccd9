// Who waits for which lock, from kernels with lock statistics.
import type { KernelBoot, LockCount } from "../../event/kernel-run.ts";
import { isSamePlace } from "./gains.ts";
import { type Measured, measuredOf, placesOf } from "./measured.ts";
import type { LockPoint } from "./result.ts";

/**
 * Locks that changes of the direct map take, in any kernel of kernel/patches: that nobody waited for them
 * is worth telling. (`init_mm.page_table_lock` is not among them: arch/x86/mm/pat/set_memory.c, v6.12.)
 */
export function isDirectMapLock(name: string): boolean {
  return /^(?:cpa_\w*lock|pgd_lock)$/.test(name);
}

/**
 * @param arms  how many the run has
 * @param boots  of kernels with lock statistics; of these the largest guest's
 */
export function lockPoints(arms: number, boots: readonly KernelBoot[]): readonly LockPoint[] {
  const most = Math.max(...boots.map(({ vcpus }) => vcpus));
  const largest = boots.filter(({ vcpus }) => vcpus === most);
  const measured = measuredOf(largest).filter(({ locks }) => locks !== undefined);
  return placesOf(largest).flatMap((place) =>
    Array.from({ length: arms }, (_, arm) => ({
      arm,
      here: measured.filter((each) => each.boot.arm === arm && isSamePlace(each, place)),
    }))
      .filter(({ here }) => here.length > 0)
      .map(({ arm, here }) => ({
        ...place,
        arm,
        boots: here.length,
        opsDone: here.reduce((sum, { result }) => sum + result.ops, 0),
        locks: locksOf(here),
      })),
  );
}

function locksOf(measured: readonly Measured[]): readonly LockCount[] {
  const sums = new Map<string, LockCount>();
  for (const lock of measured.flatMap(({ locks = [] }) => locks)) {
    const known = sums.get(lock.name);
    sums.set(lock.name, known === undefined ? lock : sumOf(known, lock));
  }
  return [...sums.values()]
    .filter(({ name, contended }) => contended > 0 || isDirectMapLock(name))
    .sort(
      (a, b) =>
        b.waitNsTotal - a.waitNsTotal || b.contended - a.contended || b.acquired - a.acquired,
    );
}

function sumOf(a: LockCount, b: LockCount): LockCount {
  const waiters = new Map<string, number>();
  for (const { fn, contended } of [...a.waiters, ...b.waiters]) {
    waiters.set(fn, (waiters.get(fn) ?? 0) + contended);
  }
  return {
    name: a.name,
    acquired: a.acquired + b.acquired,
    contended: a.contended + b.contended,
    waitNsTotal: a.waitNsTotal + b.waitNsTotal,
    waitNsMax: Math.max(a.waitNsMax, b.waitNsMax),
    holdNsTotal: a.holdNsTotal + b.holdNsTotal,
    waiters: Array.from(waiters, ([fn, contended]) => ({ fn, contended })).sort(
      (x, y) => y.contended - x.contended,
    ),
  };
}
