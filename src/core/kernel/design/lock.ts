import type { Design, Lock } from "../design.ts";

// The locks that designs are made of.

export const spinlock: Lock = { kind: "spinlock", scope: "global", irqsOff: false };
/** `spin_lock_irqsave`. */
export const spinlockIrqsOff: Lock = { kind: "spinlock", scope: "global", irqsOff: true };
export const spinlockPerPmd: Lock = { kind: "spinlock", scope: "pmd", irqsOff: false };
export const rwlock: Lock = { kind: "rwlock", scope: "global", irqsOff: false };
export const rwsem: Lock = { kind: "rwsem", scope: "global", irqsOff: false };

/** Sections without a lock, to start from. */
export const noLocks: Design["sections"] = {
  request: [],
  change: [],
  round: [],
  decide: [],
  split: [],
  store: [],
  collapse: [],
  collapse2m: [],
};
