import { INERT } from "./inert.ts";
import type { Filled } from "./option.ts";
import { ADMIT, type GuestPlan, type Policy } from "./policy.ts";
import { ownState, STATE_VERSION } from "./state.ts";

export const LAZY_ACCEPT_FIELDS = {
  share: {
    type: "number",
    min: 0.01,
    max: 1,
    default: 0.1, // Assumed; 0.02 to 0.3 is plausible.
    title: "share of its memory that a guest accepts before it is ready",
  },
  minMiB: {
    type: "integer",
    min: 1,
    max: 1_048_576,
    default: 512, // Assumed: what firmware accepts by itself before it hands over.
    title: "MiB that are accepted at least",
  },
} as const;

const PAGES_PER_MIB = 256;

/**
 * Guests are told to accept their memory when they first need it. The page state changes are put
 * off, not spared.
 */
export function createLazyAccept(options: Filled<typeof LAZY_ACCEPT_FIELDS>): Policy {
  function plan({ memoryPages, acceptPages }: GuestPlan): GuestPlan {
    const share = Math.ceil(memoryPages * options.share);
    const least = Math.max(share, options.minMiB * PAGES_PER_MIB);
    return { memoryPages, acceptPages: Math.min(acceptPages, least) };
  }

  return {
    ...INERT,
    name: "lazy-accept",
    decide: () => ADMIT,
    plan,
    snapshot: () => ({ policy: "lazy-accept", version: STATE_VERSION }),
    restore: (state) => {
      ownState("lazy-accept", state);
    },
  };
}
