import { expect, test } from "vitest";
import type { LockCount } from "../../event/kernel-run.ts";
import { joinOtherLocks, OTHER_LOCKS } from "./other-locks.ts";
import type { LockPoint } from "./result.ts";

function lock(name: string, waitNsTotal: number): LockCount {
  const contended = waitNsTotal === 0 ? 0 : 7;
  const times = { waitNsTotal, waitNsMax: waitNsTotal, holdNsTotal: 50 };
  return { name, acquired: 100, contended, ...times, waiters: [{ fn: "f", contended }] };
}

function point(arm: number, load: LockPoint["load"], locks: readonly LockCount[]): LockPoint {
  return { arm, load, vcpus: 4, threads: 4, boots: 2, opsDone: 1000, locks };
}

test("locks below 2 % of the longest wait under a load are one, unless the direct map takes them", () => {
  const points = [
    point(0, "toggle", [lock("cpa_lock", 1000), lock("a", 19), lock("b", 3), lock("pgd_lock", 0)]),
    point(1, "toggle", [lock("c", 20), lock("a", 19)]),
    // Another load has another longest wait.
    point(1, "split", [lock("a", 19)]),
  ];
  const names = joinOtherLocks(points).map(({ locks }) => locks.map(({ name }) => name).join(" "));
  expect(names).toEqual([`cpa_lock pgd_lock ${OTHER_LOCKS}`, `c ${OTHER_LOCKS}`, "a"]);
});

test("nothing of the sums is lost, and the longest wait is the longest", () => {
  const own = point(0, "toggle", [lock("cpa_lock", 1000), lock("a", 19), lock("b", 3)]);
  const [joined] = joinOtherLocks([own]);
  const sum = ({ locks }: LockPoint, of: (lock: LockCount) => number) =>
    locks.reduce((all, each) => all + of(each), 0);
  for (const of of [
    (each: LockCount) => each.waitNsTotal,
    (each: LockCount) => each.contended,
    (each: LockCount) => each.acquired,
    (each: LockCount) => each.holdNsTotal,
  ]) {
    expect(sum(joined!, of)).toBe(sum(own, of));
  }
  expect(joined!.locks.at(-1)).toMatchObject({ name: OTHER_LOCKS, waitNsMax: 19 });
});
