import type { Design } from "../design.ts";
import { perPmdSplitOnly } from "./per-pmd-split-only.ts";

/**
 * per-pmd-split-only, and 4 KiB stores look up and store under the lock of their PMD too.
 *
 * check: safe, without any global lock, as long as the direct map starts in 2 MiB entries. Below a
 * 1 GiB entry it is not: two CPUs with different PMD locks both split the same PUD (C6), so that
 * split needs a lock above the PMD.
 */
export const perPmdLock: Design = {
  ...perPmdSplitOnly,
  name: "per-pmd-lock",
  title: "no cpa_lock; a lock for each PMD taken by 4K writers too",
  source: "derived",
  sections: { ...perPmdSplitOnly.sections, store: ["pmd_lock"] },
};
