import { readFileSync } from "node:fs";
import type { GateTime } from "../../core/policy/gate.ts";

/** What `setTimeout` can be asked for, well below its 2^31 ms. */
const TIMER_MS_MAX = 3_600_000;

/**
 * The kernel's monotonic clock (CLOCK_MONOTONIC), ns after an origin on the same clock: all
 * processes of one boot read the same, and nobody can set it. Nothing here reads the time of day.
 */
export function monotonicTime(originNs: bigint): GateTime {
  const nowNs = () => Number(process.hrtime.bigint() - originNs);

  function wakeAt(atNs: number, ring: () => void): () => void {
    let timer: NodeJS.Timeout;
    const arm = () => {
      const restMs = Math.ceil((atNs - nowNs()) / 1e6);
      timer = setTimeout(check, Math.min(Math.max(restMs, 0), TIMER_MS_MAX));
    };
    // A timer may ring a fraction of a millisecond early.
    const check = () => (nowNs() < atNs ? arm() : ring());
    arm();
    return () => clearTimeout(timer);
  }

  return { nowNs, wakeAt };
}

/** Changes with every boot of the host, and with it everything that is on the monotonic clock. */
export function bootId(): string {
  return readFileSync("/proc/sys/kernel/random/boot_id", "latin1").trim();
}
