import type { Design } from "../design.ts";
import { noLocks, spinlock } from "./lock.ts";

/**
 * 4.20 (December 2018) to 6.14: what the talk measured. cpa_lock around each round of
 * __change_page_attr_set_clr, given up while a page-table page is allocated; pgd_lock around the
 * decision, and around install and flush of a split, since c0a759abf5a6 moved the flush inside.
 *
 * check: safe in every column of the verdict table. All that cpa_lock does is to keep other CPUs' 4 KiB
 * stores away until the flush of a split is done: pgd_lock, around both, keeps only splits away.
 */
export const linux420: Design = {
  name: "linux-4.20",
  title: "4.20-6.14: cpa_lock; split flushes inside pgd_lock",
  source: "arch/x86/mm/pat/set_memory.c, v4.20-v6.14; flush moved by c0a759abf5a6 (2018)",
  locks: { cpa_lock: spinlock, pgd_lock: spinlock },
  sections: { ...noLocks, round: ["cpa_lock"], decide: ["pgd_lock"], split: ["pgd_lock"] },
  splitFlush: "in-split",
  recheck: { decide: true, split: true },
  splitMark: false,
  skipRoundFor: "nothing",
  preSplit: false,
  finalFlush: true,
  collapse: "none",
};
