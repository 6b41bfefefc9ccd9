// What another limit, other pressure or confidentiality does to boots: rounds of one repetition ran
// next to each other in time, so they are compared with each other.
import type { BootRound } from "../event/boot.ts";
import { distributionOf } from "../stats/distribution.ts";
import { type Estimate, resampled } from "../stats/resample.ts";
import { sinceRequestNs } from "./boot-phases.ts";
import { isComplete, makespanNs } from "./boot-points.ts";
import { type BootSetting, bySetting, NO_LIMIT, settingKey, settingOf } from "./boot-setting.ts";

/** What is compared, each over one round: all of it since the request. */
export const BOOT_MEASURES = ["mean", "p95", "makespan"] as const;

export type BootMeasure = (typeof BOOT_MEASURES)[number];

/**
 * A relative change: −0.4 is 40 % less. `better`, `worse`: its whole interval is below, above 0.
 * `no-difference`: it covers 0. `undecided`: a single pair of rounds shows nothing.
 * Below 6 pairs the interval is that of the smallest and the largest pair.
 */
export interface Change extends Estimate {
  readonly verdict: "better" | "worse" | "no-difference" | "undecided";
}

export interface BootChange extends BootSetting {
  /** What differs. */
  readonly by: "limit" | "kind" | "pressure";
  /** The rounds it is compared with. */
  readonly against: BootSetting;
  readonly pairs: number;
  /** Pairs that were not compared, because a VM did not get ready in one of them. */
  readonly pairsLeftOut: number;
  readonly change: Readonly<Record<BootMeasure, Change>>;
}

/** What is compared with what: each with the simplest that was tried. */
const BASES = [
  { by: "limit", base: { limit: NO_LIMIT } },
  { by: "kind", base: { kind: "plain" } },
  { by: "pressure", base: { pressure: 0 } },
] as const;

/** Every setting beside the one that differs in one thing, where both ran. */
export function bootChanges(rounds: readonly BootRound[], seed: number): BootChange[] {
  const groups = bySetting(rounds.filter(({ role }) => role === "measured"));
  const bySettingKey = new Map(groups.map((group) => [settingKey(group.setting), group]));
  return BASES.flatMap(({ by, base }) =>
    groups.flatMap((group) => {
      const against = bySettingKey.get(settingKey({ ...group.setting, ...base }));
      if (against === undefined || against === group) return [];
      return changeOf(by, group.rounds, against.rounds, seed) ?? [];
    }),
  );
}

/** @returns undefined when no repetition has both */
export function changeOf(
  by: BootChange["by"],
  rounds: readonly BootRound[],
  against: readonly BootRound[],
  seed: number,
): BootChange | undefined {
  const other = new Map(against.map((round) => [round.repetition, round]));
  const all = rounds
    .flatMap((round) => {
      const beside = other.get(round.repetition);
      return beside === undefined ? [] : [{ round, beside }];
    })
    .sort((a, b) => a.round.repetition - b.round.repetition);
  const pairs = all.filter(({ round, beside }) => isComplete(round) && isComplete(beside));
  if (pairs.length === 0) return undefined;
  const measured = pairs.map(({ round, beside }) => ({
    round: measuresOf(round),
    beside: measuresOf(beside),
  }));
  const change = Object.fromEntries(
    BOOT_MEASURES.map((measure) => [
      measure,
      pairedChange(
        measured.map(({ round, beside }) => [round[measure], beside[measure]]),
        seed,
      ),
    ]),
  ) as Record<BootMeasure, Change>;
  return {
    ...settingOf(rounds[0]!),
    by,
    against: settingOf(against[0]!),
    pairs: pairs.length,
    pairsLeftOut: all.length - pairs.length,
    change,
  };
}

/** In ns. @param round  a complete one */
export function measuresOf(round: BootRound): Readonly<Record<BootMeasure, number>> {
  const { mean, p95 } = distributionOf(round.boots.map(sinceRequestNs));
  return { mean, p95, makespan: makespanNs(round) };
}

/** Below this many pairs there is no 95 % interval, whatever they say. */
const INTERVAL_FROM_PAIRS = 6;

type Pair = readonly [value: number, against: number];

function pairedChange(pairs: readonly Pair[], seed: number): Change {
  const changeOver = (indices: ArrayLike<number>) => {
    let [value, against] = [0, 0];
    for (let i = 0; i < indices.length; i += 1) {
      value += pairs[indices[i]!]![0];
      against += pairs[indices[i]!]![1];
    }
    return value / against - 1;
  };
  const each = pairs.map((_, i) => changeOver([i]));
  const estimate: Estimate =
    pairs.length < INTERVAL_FROM_PAIRS
      ? {
          value: changeOver(pairs.map((_, i) => i)),
          low: Math.min(...each),
          high: Math.max(...each),
        }
      : resampled([pairs.length], ([drawn]) => [changeOver(drawn!)], seed)[0]!;
  return { ...estimate, verdict: verdictOf(estimate, pairs.length) };
}

function verdictOf({ low, high }: Estimate, pairs: number): Change["verdict"] {
  if (pairs < 2) return "undecided";
  if (high < 0) return "better";
  return low > 0 ? "worse" : "no-difference";
}
