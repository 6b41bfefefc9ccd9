// What to doubt of this run: only what applies to it.
import { formatCount, threeDigits } from "../../units.ts";
import { code, type Prose, prose } from "../prose.ts";
import { cpus } from "../words.ts";
import type { KernelAbReport } from "./input.ts";

/** From so many pairs on a signed-rank test can tell at all, whatever else is compared. */
const FEW_BOOTS = 6;

export function kernelAbCaveats(report: KernelAbReport): readonly Prose[] {
  return [
    ...emulationCaveats(report),
    ...otherWorkCaveat(report),
    ...overcommitCaveats(report),
    ...spinlockCaveats(report),
    ...measurementCaveats(report),
    ...lackCaveats(report),
    ...predictionCaveats(report),
    ...rejectCaveats(report),
  ];
}

function emulationCaveats({ run }: KernelAbReport): Prose[] {
  if (run.accelerator === "kvm") return [];
  return [
    prose`QEMU emulated the vCPUs: one that spins for a lock burns a whole thread of the host, and a flush of TLBs is a wake-up of threads. Who waits for what, and the direction of a difference, carry over to hardware; nanoseconds and ratios do not.`,
    prose`QEMU's emulated TLB keeps 4 KiB entries only. A large and a small translation that differ (law C1) can neither happen there nor be seen: that nothing went wrong here says nothing about hardware.`,
  ];
}

function otherWorkCaveat({ result: { otherCpuShare } }: KernelAbReport): Prose[] {
  if (otherCpuShare === undefined) return [];
  return [
    prose`Other work took ${threeDigits(100 * otherCpuShare)} % of the host's CPU time while kernels were timed.`,
  ];
}

function overcommitCaveats({ run, result }: KernelAbReport): Prose[] {
  const most = Math.max(0, ...result.points.map(({ vcpus }) => vcpus));
  return most <= run.hostCpus
    ? []
    : [
        prose`${most} vCPUs shared ${cpus(run.hostCpus)} of the host: one that holds a lock may have no CPU while others spin for it. The longest times are those of the host's scheduler.`,
      ];
}

function spinlockCaveats({ result: { arms } }: KernelAbReport): Prose[] {
  const kinds = new Set(arms.flatMap(({ spinlock }) => spinlock ?? []));
  return [
    ...(kinds.has("test-and-set")
      ? [
          prose`The guests used test-and-set spinlocks, as kernels do in VMs: unfair, who comes last may be served first. Hosts have queued ones.`,
        ]
      : []),
    ...(kinds.has("queued")
      ? [
          prose`The guests used queued spinlocks, as on a host: first come, first served, so that one vCPU without a CPU holds up all behind it.`,
        ]
      : []),
    ...(kinds.size > 1
      ? [
          prose`Not all kernels used the same kind of spinlock: they differ in more than their patch.`,
        ]
      : []),
  ];
}

function measurementCaveats({ result }: KernelAbReport): Prose[] {
  const { comparisons, points, locks, arms } = result;
  const few = comparisons.filter(({ verdict }) => verdict === "too-few");
  const least = Math.min(
    ...points.flatMap((point) => point.arms.flatMap((each) => each?.opsPerSecond.n ?? [])),
  );
  const limited = points.some((point) => point.arms.some((each) => (each?.limited ?? 0) > 0));
  const lost = arms.filter(({ boots, bootsDone }) => bootsDone < boots);
  return [
    ...(few.length === 0
      ? []
      : [
          prose`For ${few.length} of ${comparisons.length} comparisons there are too few pairs of boots: whatever they measured, the test could not tell.`,
        ]),
    ...(least >= FEW_BOOTS || !Number.isFinite(least)
      ? []
      : [
          prose`A point has only ${least} ${least === 1 ? "boot" : "boots"}: below ${FEW_BOOTS} there is no 95 % interval of a median, and its interval is from the smallest to the largest.`,
        ]),
    ...(limited
      ? [
          prose`In some boots the time limit ended the threads before they had done all: their throughput counts what was done.`,
        ]
      : []),
    ...arms
      .filter(({ timesCountLocks }) => timesCountLocks)
      .map(
        ({ name }) =>
          prose`${code(name)} counted its lock waits while it was timed (CONFIG_LOCK_STAT), which makes locks several times slower: its times are not those of a kernel without.`,
      ),
    ...lost.map(
      ({ name, boots, bootsDone }) =>
        prose`${code(name)}: ${bootsDone} of ${boots} boots were done. Pairs with the others are missing, and if they failed for a reason that also makes them slow, its gain is too high.`,
    ),
    ...(locks.length === 0
      ? [prose`Lock waits were not counted: where the waiting went is not known.`]
      : [
          prose`Lock statistics make locks several times slower, and short holds more so than long ones.`,
        ]),
    prose`Waits for ${code("pgd_lock")} are those of splits. ${code("fork")} and ${code("exit")} take it too, and here nobody forks.`,
  ];
}

function lackCaveats({ run }: KernelAbReport): Prose[] {
  return run.arms.flatMap(({ name, lacks }) =>
    (["time", "count", "debug"] as const).flatMap((purpose) => {
      const why = lacks[purpose];
      return why === undefined
        ? []
        : [prose`${code(name)} was not booted for ${PURPOSE_WORDS[purpose]}: ${why}.`];
    }),
  );
}

const PURPOSE_WORDS = {
  time: "times",
  count: "lock statistics",
  debug: "its own checks",
} as const;

function predictionCaveats({ prediction }: KernelAbReport): Prose[] {
  return "why" in prediction ? [] : prediction.leavesOut.map((each) => prose`The model: ${each}`);
}

/** Also when it is nothing. */
function rejectCaveats({ rejects }: KernelAbReport): Prose[] {
  const count = rejects.reduce((sum, each) => sum + each.count, 0);
  const why = rejects.map(({ why: reason, count: lines }) => `${formatCount(lines)} (${reason})`);
  return [prose`Boots that could not be read: ${count === 0 ? "0" : why.join(", ")}.`];
}
