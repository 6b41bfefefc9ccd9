import type { Design } from "../design.ts";
import { noLocks, rwlock, spinlock } from "./lock.ts";
import { noCpaLock } from "./no-cpa-lock.ts";

/**
 * cpa_lock as a reader/writer lock: a 4 KiB store reads, a split with its flush writes. Once the
 * direct map is split, all CPUs only read.
 *
 * check: safe for callers with pages of their own; callers that share one lose updates (C3), as two
 * readers may store the same PTE.
 */
export const readerWriter: Design = {
  ...noCpaLock,
  name: "reader-writer",
  title: "4K store reads, split with its flush writes one rwlock",
  source: "derived",
  locks: { cpa_rwlock: rwlock, pgd_lock: spinlock },
  sections: {
    ...noLocks,
    decide: ["pgd_lock"],
    split: ["cpa_rwlock", "pgd_lock"],
    store: ["cpa_rwlock:read"],
  },
};
