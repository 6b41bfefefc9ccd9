import { INERT } from "./inert.ts";
import { ADMIT, type Policy } from "./policy.ts";
import { ownState, STATE_VERSION } from "./state.ts";

/** Holds nothing back. */
export function createNone(): Policy {
  return {
    ...INERT,
    name: "none",
    decide: () => ADMIT,
    snapshot: () => ({ policy: "none", version: STATE_VERSION }),
    restore: (state) => {
      ownState("none", state);
    },
  };
}
