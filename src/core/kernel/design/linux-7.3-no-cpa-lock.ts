import type { Design } from "../design.ts";
import { linux73 } from "./linux-7.3.ts";
import { rwsem, spinlock } from "./lock.ts";

/**
 * linux-7.3 with cpa_lock removed: is the lock of init_mm enough?
 *
 * check: it is not. Readers of init_mm run side by side, so the schedule that breaks no-cpa-lock
 * breaks this one too, two steps later: each CPU's read lock.
 */
export const linux73NoCpaLock: Design = {
  ...linux73,
  name: "linux-7.3-no-cpa-lock",
  title: "7.3 without cpa_lock",
  source: "derived",
  locks: { init_mm: rwsem, pgd_lock: spinlock },
  sections: { ...linux73.sections, round: [], collapse: ["init_mm"] },
};
