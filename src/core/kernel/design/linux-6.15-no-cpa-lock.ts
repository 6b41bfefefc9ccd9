import type { Design } from "../design.ts";
import { linux615 } from "./linux-6.15.ts";
import { spinlock } from "./lock.ts";

/**
 * 6.15-7.2 with cpa_lock removed: the patch of December 2022 on a kernel that collapses.
 *
 * check: unsafe as no-cpa-lock is, and as linux-6.15 is; safe for present ↔ not-present as long as
 * nothing collapses that 2 MiB.
 */
export const linux615NoCpaLock: Design = {
  ...linux615,
  name: "linux-6.15-no-cpa-lock",
  title: "6.15-7.2 without cpa_lock",
  source: "derived",
  locks: { pgd_lock: spinlock },
  sections: { ...linux615.sections, round: [] },
};
