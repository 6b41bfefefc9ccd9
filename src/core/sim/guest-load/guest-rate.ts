import type { Design } from "../../kernel/design.ts";
import { mix } from "../chance.ts";
import { operationsAtOnce } from "./at-once.ts";
import {
  answersOf,
  type BaseWork,
  type GuestCosts,
  simulatedCosts,
  TIME_SLICE_NS,
} from "./guest-costs.ts";
import { GuestStorm } from "./guest-storm.ts";
import type { PredictionInput, PredictPlace } from "./prediction.ts";

/** What a rate depends on beside design, costs and place. */
export type GuestHost = Pick<PredictionInput, "hostCpus" | "spinlock" | "seed">;

/** @returns operations a second of all threads together, as simulated */
export function guestRate(
  { hostCpus, spinlock, seed }: GuestHost,
  work: BaseWork,
  costs: GuestCosts,
  { design, start }: { readonly design: Design; readonly start: "2m" | "4k" },
  place: PredictPlace,
): number {
  const { vcpus, threads } = place;
  const setup = {
    design,
    costs: simulatedCosts(work, costs, vcpus),
    wakeUpNs: answersOf(costs, vcpus).wakeUpNs,
    spinNs: costs.spinNs ?? Number.POSITIVE_INFINITY,
    entry: place.load === "split" && start === "2m" ? "2m" : "table",
    outsideNs: Math.round(costs.outsideNs),
    threads,
    vcpus,
    hostCpus,
    spinlock,
    seed: mix(seed, mix(vcpus, threads)),
  } as const;
  const storm = new GuestStorm({ ...setup, atOnce: operationsAtOnce(setup) });
  // Until a vCPU loses its CPU for the first time, all is as if none ever did.
  const takesTurns = threads > hostCpus;
  const before = storm.run(takesTurns ? WARM_UP_NS : 0, 0);
  const all = storm.run(before.elapsedNs + (takesTurns ? TURNS_NS : 0), OPERATIONS);
  return (1e9 * (all.operations - before.operations)) / (all.elapsedNs - before.elapsedNs);
}

/** Enough for what is the same over and over. */
const OPERATIONS = 2000;
/** Where vCPUs take turns. */
const WARM_UP_NS = 20 * TIME_SLICE_NS;
const TURNS_NS = 4000 * TIME_SLICE_NS;
