import type { Trace } from "../event/schema.ts";
import type { SpinlockVisibility } from "../facts/spinlock-visibility.ts";

/**
 * Which waits for spinlocks a recording could see, by the function its waiters spin in.
 * @returns `unknown` where no stack shows one: then the host it was made on must tell
 */
export function spinEvidence({ meta, strings }: Trace): SpinlockVisibility {
  // A simulation counts every waiter.
  if (meta.source === "sim") return "all";
  if (strings.some((name) => /__pv_queued_spin_lock_slowpath$/.test(name))) return "all";
  if (strings.some((name) => /native_queued_spin_lock_slowpath$/.test(name))) {
    return "misses-first-waiter";
  }
  return "unknown";
}
