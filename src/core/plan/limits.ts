import { type PolicySpec, PSC_DELAY_MAX_MS } from "../policy/policy.ts";
import type { Scenario, ScenarioGuests } from "../scenario/scenario.ts";
import type { Planned } from "./planned.ts";

/** What to configure. */
export interface Limits {
  readonly boots: PolicySpec;
  /** Absent where guests accept no memory. */
  readonly psc?: PscLimit;
  /** A launcher that never renews keeps its permit over a slow boot. */
  readonly leaseMs: number;
}

/** 4 KiB pages of page state changes a second. */
export interface PscLimit {
  /** What a VM gets while as many boot as the knee allows. */
  readonly vmPagesPerSecond: number;
  /** All of them together. */
  readonly hostPagesPerSecond: number;
  /** An exit that waits too long goes on whatever the rate: a VM's rate below this cannot be held. */
  readonly heldFromPagesPerSecond: number;
}

/** A knee that is known better than this gets a constant: a cap that adapts has to find it first. */
const KNOWN = 1.25;

/** @param knee  in boots */
export function bootLimit({ value, low, high }: Planned): PolicySpec {
  if (high <= KNOWN * low) return { name: "boot-cap", options: { boots: value } };
  return {
    name: "boot-cap-work",
    options: { bootsStart: value, bootsMin: low, bootsMax: high },
  };
}

/** The first group that accepts memory. */
export function acceptingGuests({ guests }: Scenario): ScenarioGuests | undefined {
  return guests.find(({ phases }) => phases.some(({ kind }) => kind === "accept"));
}

/**
 * @param acceptNs  mean time that a boot of these guests accepts memory, at the knee
 * @param perSecond  boots at the knee
 */
export function pscLimit(guests: ScenarioGuests, acceptNs: number, perSecond: number): PscLimit {
  const pages = acceptedPages(guests);
  const { pscEntries } = guests;
  // An entry stands for 2 MiB; the MSR protocol asks for one page at a time.
  const exitPages = pscEntries === 1 ? 1 : Math.min(pscEntries * 512, pages);
  return {
    vmPagesPerSecond: Math.round((1e9 * pages) / acceptNs),
    hostPagesPerSecond: Math.round(perSecond * pages),
    heldFromPagesPerSecond: Math.round((1000 * exitPages) / PSC_DELAY_MAX_MS),
  };
}

/** Before the guest is ready; what the PSP has encrypted is accepted already. */
function acceptedPages(guests: ScenarioGuests): number {
  const { memoryMiB, acceptance, lazyShare, lazyMinMiB, firmwareMiB, launchExtraPages } = guests;
  const all = memoryMiB * 256 - firmwareMiB * 256 - launchExtraPages;
  const lazy = Math.max(lazyShare * memoryMiB, lazyMinMiB) * 256;
  return Math.max(1, Math.round(acceptance === "eager" ? all : Math.min(all, lazy)));
}

const LEASE_MS_LEAST = 30_000;
/** The most that the governor takes: a day. */
const LEASE_MS_MOST = 86_400_000;

/** @param serviceNs  mean of a boot in service at the knee */
export function leaseMs(serviceNs: number): number {
  const ms = 1000 * Math.ceil((3 * serviceNs) / 1e9);
  return Math.min(LEASE_MS_MOST, Math.max(LEASE_MS_LEAST, ms));
}
