import { assert } from "../../assert.ts";
import { DESIGN_BY_NAME } from "../../kernel/design/index.ts";
import type { Design } from "../../kernel/design.ts";
import { type Estimate, resampled } from "../../stats/resample.ts";
import { baseTimes, SeenPlaces } from "./base-times.ts";
import { rowOf } from "./cost-row.ts";
import { baseWork } from "./guest-costs.ts";
import { costsByFit } from "./guest-fit.ts";
import { guestRate } from "./guest-rate.ts";
import { leavesOut } from "./leaves-out.ts";
import type {
  BasePoint,
  GuestPredictionOutcome,
  PredictedPoint,
  PredictionInput,
} from "./prediction.ts";

/**
 * What the simulator says of kernels in a guest, at every place where the base kernel was measured.
 *
 * Its costs are calibrated by the base kernel alone: by one thread, by two with CPUs of their own, and
 * by threads that toggle and take turns (see `summedCosts`, `costsByFit`). Of threads that split and
 * take turns, and of every other design, nothing was fitted.
 *
 * About 1.5 s for five designs and twelve places.
 */
export function predictGuestLoad(asked: PredictionInput): GuestPredictionOutcome {
  const input = { ...asked, base: asked.base.filter((point) => point.opsPerSecond.length > 0) };
  const why = whyNot(input);
  if (why !== undefined) return { why };
  const { hostCpus, seed, baseDesign } = input;
  const base = designOf(baseDesign);
  const work = baseWork(base);
  const seen = new SeenPlaces(input.base, hostCpus);
  const told = input.base.filter((point) => seen.has(point));
  const boots = told.map((point) => point.opsPerSecond.length);
  const all = boots.map((count) => Array.from({ length: count }, (_, boot) => boot));
  const times = baseTimes(told, seen, all);
  const costsOf = costsByFit(input, base, work, seen, times);
  const known = costsOf(times);
  const row = rowOf(known);
  const estimates = resampled(
    boots,
    (drawn) => row.values(costsOf(baseTimes(told, seen, drawn))),
    seed,
  );
  const at = (of: (estimate: Estimate) => number) => row.costs(estimates.map(of));
  const ends = [at(({ value }) => value), at(({ low }) => low), at(({ high }) => high)];
  const places = input.base.filter(
    ({ load, vcpus }) => load === "toggle" || vcpus === 1 || known.idleAnswerNs.has(vcpus),
  );
  const points = input.designs.flatMap(({ name, start }, index) => {
    const run = { design: designOf(name), start };
    return places.map((place): PredictedPoint => {
      const [value, ...others] = ends.map((costs) => guestRate(input, work, costs, run, place));
      return {
        load: place.load,
        vcpus: place.vcpus,
        threads: place.threads,
        design: index,
        opsPerSecond: value!,
        low: Math.min(value!, ...others),
        high: Math.max(value!, ...others),
        fitted: name === baseDesign && start === "2m" && seen.has(place),
      };
    });
  });
  const costs = row.named(estimates);
  return { costs, points, leavesOut: leavesOut(input, known) };
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

function designOf(name: string): Design {
  const design = DESIGN_BY_NAME.get(name);
  assert(design !== undefined, `the kernel model has a design ${name}`);
  return design;
}
