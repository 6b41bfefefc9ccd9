import { assert } from "../../assert.ts";
import { DESIGN_BY_NAME } from "../../kernel/design/index.ts";
import type { Design } from "../../kernel/design.ts";
import { type Estimate, resampled } from "../../stats/resample.ts";
import { mix } from "../chance.ts";
import { baseTimes, isSeen } from "./base-times.ts";
import {
  type BaseWork,
  baseWork,
  type GuestCosts,
  guestCosts,
  simulatedCosts,
  TIME_SLICE_NS,
} from "./guest-costs.ts";
import { GuestStorm } from "./guest-storm.ts";
import { leavesOut } from "./leaves-out.ts";
import type {
  BasePoint,
  GuestCost,
  GuestPredictionOutcome,
  PredictedDesign,
  PredictedPoint,
  PredictionInput,
  PredictPlace,
} from "./prediction.ts";

/**
 * What the simulator says of kernels in a guest, at every place where the base kernel was measured.
 *
 * Its costs are calibrated by the base kernel alone: by one thread, and by two that toggle (see
 * `guestCosts`). Where more threads run, where a flush meets a vCPU that has no CPU, and of every
 * other design, nothing was fitted.
 *
 * About 1 s for five designs and twelve places.
 */
export function predictGuestLoad(asked: PredictionInput): GuestPredictionOutcome {
  const input = { ...asked, base: asked.base.filter((point) => point.opsPerSecond.length > 0) };
  const why = whyNot(input);
  if (why !== undefined) return { why };
  const { hostCpus, seed } = input;
  const work = baseWork(designOf(input.baseDesign));
  const seen = input.base.filter(isSeen);
  const sizes = flushedSizes(seen);
  const estimates = resampled(
    seen.map((point) => point.opsPerSecond.length),
    (drawn) => valuesOf(guestCosts(work, baseTimes(seen, drawn), hostCpus), sizes),
    seed,
  );
  const at = (of: (estimate: Estimate) => number) => costsOf(estimates.map(of), sizes);
  const ends = [at(({ value }) => value), at(({ low }) => low), at(({ high }) => high)];
  const places = input.base.filter(
    ({ load, vcpus }) => load === "toggle" || vcpus === 1 || sizes.includes(vcpus),
  );
  const points = input.designs.flatMap((design, index) =>
    places.map((place): PredictedPoint => {
      const [value, ...others] = ends.map((costs) => rate(input, work, costs, design, place));
      return {
        load: place.load,
        vcpus: place.vcpus,
        threads: place.threads,
        design: index,
        opsPerSecond: value!,
        low: Math.min(value!, ...others),
        high: Math.max(value!, ...others),
        fitted: design.name === input.baseDesign && design.start === "2m" && isSeen(place),
      };
    }),
  );
  return { costs: namedCosts(estimates, sizes), points, leavesOut: leavesOut(input) };
}

/** vCPUs of the guests whose flush is known. */
function flushedSizes(seen: readonly BasePoint[]): readonly number[] {
  const splits = seen.filter(({ load, vcpus }) => load === "split" && vcpus > 1);
  return [...new Set(splits.map(({ vcpus }) => vcpus))];
}

/**
 * Changes a second of one thread: no kernel looks up an entry in less time. Costs in whole nanoseconds
 * would become 0 there, and a storm of them never end.
 */
const RATE_MAX = 2.5e7;

/** What is missing for a prediction; undefined: nothing. */
function whyNot({ base, baseDesign, hostCpus }: PredictionInput): string | undefined {
  const has = (load: BasePoint["load"], threads: number) =>
    base.some((point) => point.load === load && point.threads === threads);
  if (designOf(baseDesign).sections.round.length === 0) {
    return `${baseDesign} takes no lock around a change, which is what its points would have to tell`;
  }
  if (hostCpus < 2) return "threads of a guest on one CPU never meet";
  if (!has("toggle", 1)) return "no point of the base kernel with one thread that toggles";
  if (!has("toggle", 2)) return "no point of the base kernel with two threads that toggle";
  const tooFast = base.find(({ opsPerSecond, threads }) =>
    opsPerSecond.some((rate) => !(rate <= threads * RATE_MAX)),
  );
  if (tooFast !== undefined) {
    return `the base kernel says of ${tooFast.load} that a change takes less than ${1e9 / RATE_MAX} ns`;
  }
  return undefined;
}

function rate(
  input: PredictionInput,
  work: BaseWork,
  costs: GuestCosts,
  { name, start }: PredictedDesign,
  { load, vcpus, threads }: PredictPlace,
): number {
  const { hostCpus, spinlock, seed } = input;
  const storm = new GuestStorm({
    design: designOf(name),
    costs: simulatedCosts(work, costs, vcpus),
    entry: load === "split" && start === "2m" ? "2m" : "table",
    outsideNs: Math.round(costs.outsideNs),
    threads,
    vcpus,
    hostCpus,
    spinlock,
    seed: mix(seed, mix(vcpus, threads)),
  });
  // Until a vCPU loses its CPU for the first time, all is as if none ever did.
  const takesTurns = threads > hostCpus;
  const before = storm.run(takesTurns ? WARM_UP_NS : 0, 0);
  const all = storm.run(before.elapsedNs + (takesTurns ? TURNS_NS : 0), OPERATIONS);
  return (1e9 * (all.operations - before.operations)) / (all.elapsedNs - before.elapsedNs);
}

function designOf(name: string): Design {
  const design = DESIGN_BY_NAME.get(name);
  assert(design !== undefined, `the kernel model has a design ${name}`);
  return design;
}

/** Enough for what is the same over and over. */
const OPERATIONS = 2000;
/** Where vCPUs take turns. */
const WARM_UP_NS = 20 * TIME_SLICE_NS;
const TURNS_NS = 400 * TIME_SLICE_NS;

// ---- Costs as a row of numbers, for the statistics ------------------------------------------------

function valuesOf(costs: GuestCosts, sizes: readonly number[]): readonly number[] {
  const { holdNs, outsideNs, handOverNs, splitNs, answerNs } = costs;
  return [holdNs, outsideNs, handOverNs, splitNs, ...sizes.map((vcpus) => answerNs.get(vcpus)!)];
}

function costsOf(values: readonly number[], sizes: readonly number[]): GuestCosts {
  const [holdNs, outsideNs, handOverNs, splitNs, ...answers] = values;
  return {
    holdNs: holdNs!,
    outsideNs: outsideNs!,
    handOverNs: handOverNs!,
    splitNs: splitNs!,
    answerNs: new Map(sizes.map((vcpus, i) => [vcpus, answers[i]!])),
  };
}

function namedCosts(estimates: readonly Estimate[], sizes: readonly number[]): GuestCost[] {
  const names = [
    "change of a 4 KiB entry under the lock",
    "the rest of an operation",
    "hand-over of the lock to a waiter",
    "split of a 2 MiB entry, without its flush",
    ...sizes.map((vcpus) => `answer of a vCPU to a flush, ${vcpus} vCPUs`),
  ];
  return estimates.map(({ value, low, high }, i) => ({
    name: names[i]!,
    ns: value,
    low: Math.min(value, low),
    high: Math.max(value, high),
  }));
}
