// Costs that are no sum of times: what they must be for the simulated base kernel to do what the real
// one did.
import type { Design } from "../../kernel/design.ts";
import { exp } from "../exact-math.ts";
import type { SeenPlaces } from "./base-times.ts";
import {
  type BaseTimes,
  type BaseWork,
  type GuestCosts,
  summedCosts,
  TIME_SLICE_NS,
} from "./guest-costs.ts";
import { type GuestHost, guestRate } from "./guest-rate.ts";

/** All costs of a guest, from times of its base kernel. */
export type CostsOf = (times: BaseTimes) => GuestCosts;

/**
 * - Two threads of a guest with two vCPUs split: how long one that runs takes to answer.
 * - More threads than CPUs toggle: how long a vCPU spins until another one gets its CPU.
 *
 * Both slow the base kernel down. It is simulated with the sums of all boots, closer and closer to what
 * it did there; what lies between is interpolated.
 * @param all  times of all boots
 * @returns for these and for times of some of the boots
 */
export function costsByFit(
  host: GuestHost,
  base: Design,
  work: BaseWork,
  seen: SeenPlaces,
  all: BaseTimes,
): CostsOf {
  const sums = summedCosts(work, all, host.hostCpus);
  const run = { design: base, start: "2m" } as const;
  const { crowded } = seen;
  const spins =
    crowded &&
    curveTo(1e9 / all.toggleCrowdedNs, LN_SPIN_TURNS, (lnTurns) =>
      guestRate(host, work, { ...sums, spinNs: spinNsOf(lnTurns) }, run, crowded),
    );
  const idleNs = sums.idleAnswerNs.get(2);
  const answers =
    idleNs === undefined || Number.isNaN(all.splitByTwoNs)
      ? undefined
      : curveTo(1e9 / all.splitByTwoNs, [0, 1], (share) =>
          guestRate(host, work, { ...sums, runningAnswerNs: share * idleNs }, run, SPLIT_BY_TWO),
        );
  return (times) => {
    const own = summedCosts(work, times, host.hostCpus);
    // Boots in which two threads are slower are slower with more as well.
    const crowdedRate = (1e9 / times.toggleCrowdedNs) * (times.toggleByTwoNs / all.toggleByTwoNs);
    const ownIdleNs = own.idleAnswerNs.get(2) ?? 0;
    return {
      ...own,
      ...(spins && { spinNs: spinNsOf(argumentAt(spins, crowdedRate)) }),
      ...(answers && {
        runningAnswerNs: ownIdleNs * argumentAt(answers, 1e9 / times.splitByTwoNs),
      }),
    };
  };
}

/** From what gives the CPU up almost at once to what keeps it for its turn. */
const LN_SPIN_TURNS = [-3, 3] as const;

function spinNsOf(lnTurns: number): number {
  return TIME_SLICE_NS * exp(lnTurns);
}

const SPLIT_BY_TWO = { load: "split", vcpus: 2, threads: 2 } as const;

interface CurvePoint {
  readonly argument: number;
  readonly rate: number;
}

/** A falling rate, closest around the one that is wanted. */
function curveTo(
  wanted: number,
  ends: readonly [number, number],
  rateAt: (argument: number) => number,
): readonly CurvePoint[] {
  const curve = ends.map((argument) => ({ argument, rate: rateAt(argument) }));
  for (let halved = 0; halved < HALVINGS; halved += 1) {
    const after = firstBelow(curve, wanted);
    const argument = (curve[after - 1]!.argument + curve[after]!.argument) / 2;
    curve.splice(after, 0, { argument, rate: rateAt(argument) });
  }
  return curve;
}

const HALVINGS = 4;

/** Where the curve has this rate; one of its ends where it never does. */
function argumentAt(curve: readonly CurvePoint[], rate: number): number {
  const after = firstBelow(curve, rate);
  const [high, low] = [curve[after - 1]!, curve[after]!];
  // Chance may make neighbours change places.
  const share = high.rate > low.rate ? (high.rate - rate) / (high.rate - low.rate) : 0;
  return high.argument + Math.min(1, Math.max(0, share)) * (low.argument - high.argument);
}

/** Index of the first point that has at most this rate; never the first, and at most the last. */
function firstBelow(curve: readonly CurvePoint[], rate: number): number {
  const index = curve.findIndex((point, i) => i > 0 && point.rate <= rate);
  return index < 0 ? curve.length - 1 : index;
}
