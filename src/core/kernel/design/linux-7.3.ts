import type { Design } from "../design.ts";
import { fix202607 } from "./fix-2026-07.ts";
import { rwsem, spinlock } from "./lock.ts";

/**
 * August 2026, for 7.3 and the stable kernels: set_memory_* takes the mmap lock of init_mm for
 * reading (477cf5cd1f69), a collapse for writing (be4f4ab413d1). The read lock is dropped before
 * the final flush; set_direct_map_* does not take it.
 *
 * check: the hole of July is still open, for the same reason, five steps further away.
 */
export const linux73: Design = {
  ...fix202607,
  name: "linux-7.3",
  title: "August 2026: init_mm read for changes, write for collapse",
  source: "tip x86/mm 477cf5cd1f69, be4f4ab413d1; kernelci/linux @bf134a7f64ec",
  locks: { init_mm: rwsem, cpa_lock: spinlock, pgd_lock: spinlock },
  sections: {
    ...fix202607.sections,
    change: ["init_mm:read"],
    collapse: ["init_mm", "cpa_lock"],
  },
};
