import type { GateTime } from "../../../core/policy/gate.ts";

/** CLOCK_MONOTONIC after an origin, and Node's timers, which are never early. */
export function systemTime(originNs: bigint): GateTime {
  const nowNs = () => Number(process.hrtime.bigint() - originNs);
  return {
    nowNs,
    wakeAt(atNs, ring) {
      // A timer rounds down to whole milliseconds: one more, and it has come for certain.
      const timer = setTimeout(ring, Math.max(0, Math.ceil((atNs - nowNs()) / 1e6)));
      return () => clearTimeout(timer);
    },
  };
}
