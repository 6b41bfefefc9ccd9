import type { Design } from "../design.ts";
import { noCpaLock } from "./no-cpa-lock.ts";

/**
 * 2.6.27 (October 2008): pgd_lock alone, and no flush after a split. The crashes of real machines
 * (tglx, 87y1qbjvrh.ffs@tglx) are why 2.6.28 got cpa_lock and the flush (ad5ca55f6bdb).
 *
 * check: unsafe for access rights and memory types, with one CPU alone: it splits, stores its PTE,
 * and its TLB may still have the large entry. Safe for present ↔ not-present.
 */
export const linux2627: Design = {
  ...noCpaLock,
  name: "linux-2.6.27",
  title: "2.6.27: no cpa_lock, no flush after a split",
  source: "arch/x86/mm/pageattr.c before ad5ca55f6bdb (2008)",
  splitFlush: "none",
};
