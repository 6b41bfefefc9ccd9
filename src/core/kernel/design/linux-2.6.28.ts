import type { Design } from "../design.ts";
import { linux420 } from "./linux-4.20.ts";

/**
 * 2.6.28 (December 2008) to 4.19: cpa_lock, new with ad5ca55f6bdb, and the flush of a split after
 * pgd_lock is dropped, under cpa_lock.
 *
 * check: safe in every column, as 4.20 is: where inside cpa_lock the flush stands makes no
 * difference.
 */
export const linux2628: Design = {
  ...linux420,
  name: "linux-2.6.28",
  title: "2.6.28-4.19: cpa_lock; split flushes after pgd_lock",
  source: "arch/x86/mm/pageattr.c, ad5ca55f6bdb (2008) to v4.19",
  splitFlush: "in-round",
};
