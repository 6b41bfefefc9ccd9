import { assertNever } from "../assert.ts";
import { randomFrom } from "../random.ts";
import type { Arrivals } from "../scenario/scenario.ts";
import { exponentialOf } from "./exact-math.ts";

/** When each VM is asked for, in ns, ascending, the first at 0. */
export function arrivalsNs(arrivals: Arrivals, vms: number, seed: number): number[] {
  const evenly = (stepNs: number) => Array.from({ length: vms }, (_, i) => Math.round(i * stepNs));
  switch (arrivals.kind) {
    case "together":
      return evenly(0);
    case "ramp":
      return evenly(vms > 1 ? (arrivals.overMs * 1e6) / (vms - 1) : 0);
    case "rate":
      return evenly(1e9 / arrivals.perSecond);
    case "poisson": {
      const random = randomFrom(seed ^ 0x51a2b);
      let at = 0;
      return Array.from({ length: vms }, (_, i) => {
        if (i > 0) at += Math.round((exponentialOf(random.u32()) * 1e9) / arrivals.perSecond);
        return at;
      });
    }
    default:
      return assertNever(arrivals);
  }
}
