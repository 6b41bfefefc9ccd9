import type { Design } from "../design.ts";
import { linux420 } from "./linux-4.20.ts";
import { linux73ReadOverFlush } from "./linux-7.3-read-over-flush.ts";

/**
 * Safe designs made wrong on purpose, each in the way of a mistake that a patch could make. Every one
 * must be caught, or the checker is not looking (check.test.ts).
 */
export const MUTANTS: readonly Design[] = [
  {
    // Caught by C1, as 2.6.27: nothing keeps stores away until the flush is done.
    ...linux420,
    name: "mutant-flush-after-cpa-lock",
    title: "mutant: split flushes after cpa_lock is dropped",
    source: "mutant",
    splitFlush: "after-round",
  },
  {
    // Two CPUs that both saw the large entry both install a table; the first one's change is lost.
    ...linux420,
    name: "mutant-no-recheck",
    title: "mutant: no second look-up under pgd_lock",
    source: "mutant",
    recheck: { decide: false, split: false },
  },
  {
    // The request returns and a TLB still has the old translation (C4).
    ...linux420,
    name: "mutant-no-final-flush",
    title: "mutant: set_memory returns without a flush",
    source: "mutant",
    finalFlush: false,
  },
  {
    // A page walk goes on through the cached PMD entry into a page that is someone else's (C2).
    ...linux73ReadOverFlush,
    name: "mutant-free-before-flush",
    title: "mutant: collapse frees the table before the flush",
    source: "mutant",
    collapse: "free-then-flush",
  },
  {
    // Splits and stores take the same two locks the other way round (C7-deadlock).
    ...linux420,
    name: "mutant-lock-order",
    title: "mutant: splits take pgd_lock, then cpa_lock",
    source: "mutant",
    sections: {
      ...linux420.sections,
      round: [],
      split: ["pgd_lock", "cpa_lock"],
      store: ["cpa_lock", "pgd_lock"],
    },
  },
];
