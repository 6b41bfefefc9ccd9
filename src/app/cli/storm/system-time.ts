import type { GateTime } from "../../../core/policy/gate.ts";

/** CLOCK_MONOTONIC after an origin, with Node's timers. */
export function systemTime(originNs: bigint): GateTime {
  const nowNs = () => Number(process.hrtime.bigint() - originNs);
  return {
    nowNs,
    wakeAt(atNs, ring) {
      let timer: NodeJS.Timeout;
      const arm = () => {
        timer = setTimeout(check, Math.max(0, Math.ceil((atNs - nowNs()) / 1e6)));
      };
      // A timer counts from when its turn of the event loop began, and so may ring early.
      const check = () => (nowNs() < atNs ? arm() : ring());
      arm();
      return () => clearTimeout(timer);
    },
  };
}
