import type { Design } from "../design.ts";
import { linux420 } from "./linux-4.20.ts";
import { spinlock } from "./lock.ts";

/**
 * 4.20 with cpa_lock removed: the talk's proposal (LPC, September 2022), posted as "x86/mm/cpa: get
 * rid of the cpa lock" on 22 December 2022. Thomas Gleixner answered on 9 January 2023
 * (87y1qbjvrh.ffs@tglx) with a schedule that breaks it; it was not merged.
 *
 * check: both are right. Safe for present ↔ not-present, the talk's workload, since a TLB never
 * holds a non-present entry. Unsafe for access rights and memory types: C1 in ten steps and one
 * preemption, in which another CPU stores a neighbour's PTE before the split has flushed.
 */
export const noCpaLock: Design = {
  ...linux420,
  name: "no-cpa-lock",
  title: "4.20-6.14 without cpa_lock (posted December 2022)",
  source: "lore 20221222013330.831474-1-jackyli@google.com; LPC 2022 talk",
  locks: { pgd_lock: spinlock },
  sections: { ...linux420.sections, round: [] },
};
