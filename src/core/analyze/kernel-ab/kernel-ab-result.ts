// Boots of kernels that are compared, analysed: boots in, plain data out. The report draws it.
import { assert } from "../../assert.ts";
import { firstOfEachKind } from "../../event/kernel-complaint.ts";
import {
  BOOT_PURPOSES,
  type KernelArm,
  type KernelBoot,
  type KernelRun,
} from "../../event/kernel-run.ts";
import { comparisonsOf } from "./comparisons.ts";
import { bootFailures } from "./failures.ts";
import { lockPoints } from "./locks.ts";
import { countedBoots, measuredOf, placesOf } from "./measured.ts";
import { mixedSeen } from "./mixed.ts";
import { loadPoints } from "./points.ts";
import type { ArmResult, KernelAbResult } from "./result.ts";

/**
 * Throughput and latency are of boots to be timed, waits of kernels that count them, and complaints of any.
 * What a boot had measured before it failed counts.
 * @param boots  in any order, each of an arm of the run
 */
export function kernelAbResult(run: KernelRun, boots: readonly KernelBoot[]): KernelAbResult {
  const arms = run.arms.length;
  assert(
    boots.every(({ arm }) => arm < arms),
    "a boot belongs to an arm of its run",
  );
  const timed = countedBoots(boots, "time");
  const measured = measuredOf(timed);
  const places = placesOf(timed);
  return {
    arms: run.arms.map((_, arm) => armResult(run.arms, arm, boots)),
    points: loadPoints(places, arms, measured),
    comparisons: comparisonsOf(places, arms, measured),
    locks: lockPoints(arms, countedBoots(boots, "count")),
    mixed: mixedSeen(arms, countedBoots(boots, "debug")),
    failures: bootFailures(boots),
    ...otherWork(run, timed),
  };
}

function otherWork(
  { hostCpus }: KernelRun,
  timed: readonly KernelBoot[],
): Pick<KernelAbResult, "otherCpuShare"> {
  const sum = (of: (boot: KernelBoot) => number) => timed.reduce((all, one) => all + of(one), 0);
  const hostNs = sum(({ elapsedMs }) => elapsedMs * 1e6) * hostCpus;
  return hostNs === 0 ? {} : { otherCpuShare: sum(({ load }) => load.otherCpuNs) / hostNs };
}

function armResult(
  arms: readonly KernelArm[],
  index: number,
  boots: readonly KernelBoot[],
): ArmResult {
  const arm = arms[index]!;
  const own = boots.filter((boot) => boot.arm === index);
  const timed = countedBoots(own, "time");
  // A kernel that counts, or checks itself, has a release of its own.
  const release = [...timed, ...own].find((boot) => boot.release !== undefined)?.release;
  const spinlock = measuredOf([...timed, ...own])[0]?.result.spinlock;
  const countsLocks = timed.some(({ measurements }) =>
    measurements.some((each) => "result" in each && each.locks !== undefined),
  );
  const complaints = firstOfEachKind(own.flatMap((boot) => boot.complaints));
  const sameAs = arms.slice(0, index).findIndex((other) => isSameKernel(other, arm));
  return {
    name: arm.name,
    ...(arm.design === undefined ? {} : { design: arm.design }),
    ...(release === undefined ? {} : { release }),
    ...(spinlock === undefined ? {} : { spinlock }),
    ...(countsLocks ? { timesCountLocks: true } : {}),
    boots: timed.length,
    bootsDone: timed.filter(({ outcome }) => outcome === "done").length,
    ...(complaints.length === 0 ? {} : { complaints }),
    ...(sameAs === -1 ? {} : { sameAs }),
  };
}

/** The same words, and for each purpose that both have an image for, the same one. */
function isSameKernel(a: KernelArm, b: KernelArm): boolean {
  const both = BOOT_PURPOSES.filter(
    (purpose) => a.images[purpose] !== undefined && b.images[purpose] !== undefined,
  );
  return (
    both.length > 0 &&
    both.every((purpose) => a.images[purpose]!.sha256 === b.images[purpose]!.sha256) &&
    a.words.join(" ") === b.words.join(" ")
  );
}
