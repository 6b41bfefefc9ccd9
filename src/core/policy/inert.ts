import type { Policy } from "./policy.ts";
import { NEVER } from "./policy.ts";

/** What a policy does about the things it does not govern. Others spread it and add their own. */
export const INERT: Pick<
  Policy,
  "ready" | "wakeNs" | "release" | "leave" | "observe" | "plan" | "gauges"
> = {
  ready: () => undefined,
  wakeNs: () => NEVER,
  release: () => {},
  leave: () => {},
  observe: () => {},
  plan: (guest) => guest,
  gauges: () => ({}),
};
