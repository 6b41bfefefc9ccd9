import { linux420 } from "../../src/core/kernel/design/linux-4.20.ts";
import type { Design, SplitFlush } from "../../src/core/kernel/design.ts";
import type { Member } from "./promela.ts";

const FLUSHES: readonly SplitFlush[] = ["in-split", "in-round", "after-round", "none"];

/** The same member as a design of ours. */
export function designOf(member: Member): Design {
  const lock = [[], ["pgd_lock"], ["pmd_lock"]] as const;
  const cpa = member.cpa ? ["cpa_lock"] : [];
  const collapses = member.collapse > 0;
  return {
    ...linux420,
    name: nameOf(member),
    locks: {
      ...linux420.locks,
      pmd_lock: { kind: "spinlock", scope: "pmd", irqsOff: false },
      init_mm: { kind: "rwsem", scope: "global", irqsOff: false },
    },
    sections: {
      request: member.initMm === 2 ? ["init_mm:read"] : [],
      change: member.initMm === 1 ? ["init_mm:read"] : [],
      round: cpa,
      decide: lock[member.splitLock],
      split: lock[member.splitLock],
      store: lock[member.storeLock],
      collapse: collapses
        ? [...(member.initMm ? ["init_mm"] : []), ...(member.collapse === 2 ? ["cpa_lock"] : [])]
        : [],
      collapse2m: collapses ? lock[member.splitLock] : [],
    },
    splitFlush: FLUSHES[member.splitFlush]!,
    recheck: { decide: true, split: member.recheck === 1 },
    finalFlush: member.finalFlush === 1,
    collapse: collapses ? "flush-then-free" : "none",
  };
}

export function nameOf(member: Member): string {
  return Object.entries(member)
    .map(([key, value]) => `${key}=${value}`)
    .join(" ");
}

const plain = { finalFlush: 1, collapse: 0, initMm: 0 } as const;

/** Every lock on and off, the flush in each place, writers locked or not: 144 for each operation. */
export function splitFamily(operations: readonly Member["operations"][]): Member[] {
  return operations.flatMap((operations) =>
    ([0, 1] as const).flatMap((cpa) =>
      ([0, 1, 2] as const).flatMap((splitLock) =>
        ([0, 1, 2] as const).flatMap((storeLock) =>
          ([0, 1, 2, 3] as const).flatMap((splitFlush) =>
            ([0, 1] as const).map(
              (recheck): Member => ({
                ...plain,
                operations,
                cpa,
                splitLock,
                storeLock,
                splitFlush,
                recheck,
              }),
            ),
          ),
        ),
      ),
    ),
  );
}

/** Collapse under each lock, with the init_mm lock not, partly, and wholly over the change: 72. */
export function collapseFamily(): Member[] {
  return ([0, 1] as const).flatMap((cpa) =>
    ([0, 1] as const).flatMap((splitLock) =>
      ([0, 1, 2] as const).flatMap((storeLock) =>
        ([1, 2] as const).flatMap((collapse) =>
          ([0, 1, 2] as const).map(
            (initMm): Member => ({
              operations: "collapse",
              cpa,
              splitLock,
              storeLock,
              splitFlush: 0,
              recheck: 1,
              finalFlush: 1,
              collapse,
              initMm,
            }),
          ),
        ),
      ),
    ),
  );
}
