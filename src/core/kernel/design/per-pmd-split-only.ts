import type { Design } from "../design.ts";
import { noLocks, spinlockPerPmd } from "./lock.ts";
import { noCpaLock } from "./no-cpa-lock.ts";

/**
 * The talk's next step: pgd_lock, the bottleneck once cpa_lock is gone, becomes a lock for each
 * PMD, taken where pgd_lock was, by splits alone.
 *
 * check: the verdicts of no-cpa-lock, for the same reason: 4 KiB stores take no lock, so they do not
 * wait for the flush of a split.
 */
export const perPmdSplitOnly: Design = {
  ...noCpaLock,
  name: "per-pmd-split-only",
  title: "no cpa_lock; a lock for each PMD taken by splits alone",
  source: "LPC 2022 talk: pgd_lock is next",
  locks: { pmd_lock: spinlockPerPmd },
  sections: { ...noLocks, decide: ["pmd_lock"], split: ["pmd_lock"] },
};
