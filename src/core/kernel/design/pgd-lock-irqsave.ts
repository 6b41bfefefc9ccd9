import type { Design } from "../design.ts";
import { linux420 } from "./linux-4.20.ts";
import { spinlock, spinlockIrqsOff } from "./lock.ts";

/**
 * 4.20 with interrupts off under pgd_lock, as the attribute code took it until September 2008. Not
 * in the verdict table: it is there for the deadlock that was fixed then.
 *
 * check: with a flush by IPIs and a CPU that forks, deadlock (C7): one CPU spins on pgd_lock with
 * interrupts off, and its holder waits for that CPU's answer to the flush.
 */
export const pgdLockIrqsave: Design = {
  ...linux420,
  name: "pgd-lock-irqsave",
  title: "4.20 with spin_lock_irqsave(pgd_lock), as before September 2008",
  source: "lkml.org/lkml/2008/9/23/383, patch 1",
  locks: { cpa_lock: spinlock, pgd_lock: spinlockIrqsOff },
};
