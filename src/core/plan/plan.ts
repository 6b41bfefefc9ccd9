import type { Confirmation } from "./confirm.ts";
import type { Demand } from "./demand.ts";
import type { Limits } from "./limits.ts";
import type { Planned } from "./planned.ts";

/** What a host can serve and how to keep it there. Times in ms. */
export interface Plan {
  readonly aloneMs: Planned;
  readonly target: { readonly p99Ms: number; readonly asked: boolean };
  /** Of a boot alone, what is demanded most first: only that sets the bound. */
  readonly resources: readonly { readonly name: string; readonly demandMs: number }[];
  /** N* of that resource. */
  readonly boundBoots: number;
  /** Throughput by boots in service, ascending. */
  readonly service: readonly PlannedService[];
  /** Boots in service. */
  readonly knee: Planned;
  /** Boots a second at the knee: all that the host can serve under this cap. */
  readonly perSecond: Planned;
  readonly rates: readonly PlannedRate[];
  readonly storm: PlannedStorm;
  readonly limits: Limits;
  /** What there is first. */
  readonly choices: readonly PlannedChoice[];
  readonly confirmation?: Confirmation;
}

export interface PlannedService {
  readonly boots: number;
  readonly perSecond: Planned;
  /** min(n/T, 1/D). */
  readonly boundPerSecond: number;
}

export interface PlannedRate {
  readonly arrivals: "poisson" | "even";
  /** The largest that keeps the target; 0: none does. */
  readonly perSecond: Planned;
  readonly points: readonly { readonly perSecond: number; readonly p99Ms: Planned }[];
}

/** All VMs asked for at once. */
export interface PlannedStorm {
  readonly vms: number;
  readonly without: StormTimes;
  /** With the planned cap. */
  readonly with: StormTimes;
  /** With the cap, and started evenly at the largest rate, by whoever starts them. */
  readonly paced: StormTimes;
}

/** Since all of them were asked for. */
export interface StormTimes {
  readonly meanMs: Planned;
  readonly p99Ms: Planned;
  readonly allReadyMs: Planned;
}

/** Beside the others: one storm each, the same chance for all. */
export interface PlannedChoice {
  readonly name: string;
  readonly verdict: "safe" | "unsafe" | "unknown";
  readonly knee: number;
  readonly perSecond: number;
  /** Of the storm of all VMs, with the cap that is its own. */
  readonly meanMs: number;
  readonly allReadyMs: number;
}

/** As it is printed. */
export function resourcesMs({ resources }: Demand): Plan["resources"] {
  return resources.map(({ name, demandNs }) => ({ name, demandMs: demandNs / 1e6 }));
}
