import type { Design } from "../design.ts";
import { linux420 } from "./linux-4.20.ts";

/**
 * 4.20, and a change between present and not-present of an entry that is 4 KiB already takes no
 * lock: most of what an SNP host of 2022 and memfd_secret do. Everything else keeps cpa_lock.
 *
 * check: safe in every column: what is stored without the lock becomes not-present, or comes back
 * as it was, and so no TLB holds two translations that differ. One warning more than 4.20 for
 * psc-2022: a page can go to a guest before another CPU's flush of the large entry is done (R8-tlb).
 */
export const skipForPresent: Design = {
  ...linux420,
  name: "skip-for-present",
  title: "4.20; P changes of an entry already 4K skip cpa_lock",
  source: "derived: removes the talk's contention and keeps the lock for the rest",
  skipRoundFor: "present-changes-of-4k",
};
