// Every kernel against the base, by pairs of boots that the host treated alike, if anything did: those
// of one repetition stand next to each other in time, and who goes first changes in turn.
import { holm } from "../../stats/holm.ts";
import { type SignedRank, signedRank } from "../../stats/signed-rank.ts";
import { isSamePlace } from "./gains.ts";
import { type Measured, opsPerSecond } from "./measured.ts";
import type { Comparison, LoadPlace } from "./result.ts";

/** Below this an adjusted p is a difference. */
export const DIFFERENCE_P = 0.05;

interface Pairs extends LoadPlace {
  readonly arm: number;
  /** Throughput of the arm over that of the base, one for each pair. */
  readonly ratios: readonly number[];
}

/**
 * @param arms  how many the run has
 * @param measured  of boots that are timed
 */
export function comparisonsOf(
  places: readonly LoadPlace[],
  arms: number,
  measured: readonly Measured[],
): readonly Comparison[] {
  const pairs = places.flatMap((place) => {
    const here = measured.filter((each) => isSamePlace(each, place));
    return Array.from({ length: arms - 1 }, (_, index) => pairsOf(place, index + 1, here));
  });
  return compared(pairs.filter(({ ratios }) => ratios.length > 0));
}

function pairsOf(place: LoadPlace, arm: number, here: readonly Measured[]): Pairs {
  const base = here.filter(({ boot }) => boot.arm === 0);
  const ratios = base.flatMap(({ boot: { repetition }, result }) => {
    const own = here.find(({ boot }) => boot.arm === arm && boot.repetition === repetition);
    return own === undefined ? [] : [opsPerSecond(own.result) / opsPerSecond(result)];
  });
  return { ...place, arm, ratios };
}

function compared(all: readonly Pairs[]): readonly Comparison[] {
  const tests = all.map(({ ratios }) => signedRank(ratios));
  const ps = tests.map(({ p }) => p);
  const adjusted = holm(ps);
  return all.map(({ ratios, ...which }, at) => {
    const { p, ...speedUp } = tests[at]!;
    const pAdjusted = adjusted[at]!;
    return {
      ...which,
      pairs: ratios.length,
      speedUp,
      p,
      pAdjusted,
      verdict: verdictOf(tests[at]!, pAdjusted, couldDiffer(ps, at, ratios.length)),
    };
  });
}

function verdictOf(
  { value }: SignedRank,
  pAdjusted: number,
  couldDiffer: boolean,
): Comparison["verdict"] {
  if (pAdjusted < DIFFERENCE_P) return value > 1 ? "faster" : "slower";
  return couldDiffer ? "no-difference" : "too-few";
}

/** Whether so many pairs, all on one side, would be a difference, the other comparisons as they are. */
function couldDiffer(ps: readonly number[], at: number, pairs: number): boolean {
  return holm(ps.with(at, 2 / 2 ** pairs))[at]! < DIFFERENCE_P;
}
