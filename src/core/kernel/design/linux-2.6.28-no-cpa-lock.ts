import type { Design } from "../design.ts";
import { linux2628 } from "./linux-2.6.28.ts";
import { spinlock } from "./lock.ts";

/**
 * 2.6.28-4.19 with cpa_lock removed; nobody proposed it. It asks whether the move of the flush into
 * pgd_lock in 4.20 is what makes removal possible, as the talk argues.
 *
 * check: it is not. The verdicts are those of no-cpa-lock, of which this has only more states.
 */
export const linux2628NoCpaLock: Design = {
  ...linux2628,
  name: "linux-2.6.28-no-cpa-lock",
  title: "2.6.28-4.19 without cpa_lock",
  source: "derived",
  locks: { pgd_lock: spinlock },
  sections: { ...linux2628.sections, round: [] },
};
