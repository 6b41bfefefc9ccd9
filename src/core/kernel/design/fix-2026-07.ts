import type { Design } from "../design.ts";
import { linux615 } from "./linux-6.15.ts";

/**
 * The fix of 15 July 2026 (tip x86/mm, "Take cpa_lock around large-page collapse"): cpa_lock over
 * the whole collapse, its flush and the freeing of tables.
 *
 * check: closes the lost update and the freed table. Still unsafe for collapse: 512 equal PTEs
 * become a large entry while another caller, past cpa_lock, has yet to flush its own change, so a
 * TLB may hold the old 4 KiB and the new 2 MiB translation of one page (C1).
 */
export const fix202607: Design = {
  ...linux615,
  name: "fix-2026-07",
  title: "July 2026: collapse, its flush and freeing under cpa_lock",
  source: "tip x86/mm 1aac65f3e651",
  sections: { ...linux615.sections, collapse: ["cpa_lock"] },
};
