import type { Design } from "../design.ts";
import { linux420 } from "./linux-4.20.ts";

/**
 * 6.15 (May 2025) to 7.2: 4.20, and set_memory_rox makes large entries again (41d88484c71c), which
 * are scanned and set under pgd_lock; 4 KiB stores are under cpa_lock.
 *
 * check: unsafe as soon as something collapses: the two sides hold different locks, so a store can
 * be lost (C3), go into a table that was taken away or freed (C2), or meet a large entry (C1).
 * Without collapse it is 4.20.
 */
export const linux615: Design = {
  ...linux420,
  name: "linux-6.15",
  title: "6.15-7.2: as 4.20, and collapse under pgd_lock alone",
  source: "arch/x86/mm/pat/set_memory.c, 41d88484c71c (6.15) to v7.2",
  sections: { ...linux420.sections, collapse2m: ["pgd_lock"] },
  collapse: "flush-then-free",
};
