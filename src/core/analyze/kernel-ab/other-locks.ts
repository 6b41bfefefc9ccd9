import type { LockCount } from "../../event/kernel-run.ts";
import { isSamePlace } from "./gains.ts";
import { isDirectMapLock } from "./locks.ts";
import type { LockPoint } from "./result.ts";

/** What locks that hardly anybody waits for are called together. */
export const OTHER_LOCKS = "others";

/** Of the longest wait of any kernel at the place. */
const HARDLY = 0.02;

/**
 * Joins the locks that hardly anybody waits for under a load, in any kernel, into one. Those that changes
 * of the direct map take stay: that nobody waits for them is worth telling.
 */
export function joinOtherLocks(points: readonly LockPoint[]): readonly LockPoint[] {
  return points.map((point) => {
    const here = points.filter((each) => isSamePlace(each, point));
    const most = Math.max(...here.flatMap(({ locks }) => locks.map((lock) => lock.waitNsTotal)));
    const isTold = ({ name, waitNsTotal }: LockCount) =>
      isDirectMapLock(name) || waitNsTotal >= HARDLY * most;
    const others = point.locks.filter((lock) => !isTold(lock));
    const told = point.locks.filter(isTold);
    return { ...point, locks: others.length === 0 ? told : [...told, joined(others)] };
  });
}

function joined(locks: readonly LockCount[]): LockCount {
  const sum = (of: (lock: LockCount) => number) => locks.reduce((all, lock) => all + of(lock), 0);
  return {
    name: OTHER_LOCKS,
    acquired: sum((lock) => lock.acquired),
    contended: sum((lock) => lock.contended),
    waitNsTotal: sum((lock) => lock.waitNsTotal),
    waitNsMax: Math.max(...locks.map((lock) => lock.waitNsMax)),
    holdNsTotal: sum((lock) => lock.holdNsTotal),
    waiters: [],
  };
}
