import type { BootRound } from "../event/boot.ts";
import { BOOT_MEASURES, type BootMeasure, changeOf, measuresOf } from "./boot-changes.ts";
import { isComplete } from "./boot-points.ts";
import { type BootSetting, bySetting, NO_LIMIT, seriesKey } from "./boot-setting.ts";

/** Which limit is best for so many VMs, by each measure. */
export interface BestLimits extends Omit<BootSetting, "limit"> {
  /** The limits that ran beside each other, no limit first. */
  readonly limits: readonly string[];
  readonly best: Readonly<Record<BootMeasure, BestLimit>>;
}

export interface BestLimit {
  /** The lowest of those clearly better than no limit; `none` where there is no such. */
  readonly limit: string;
  /** Others that this run cannot tell from it. */
  readonly alike: readonly string[];
}

/** @returns one for each number of VMs at which no limit and at least one limit ran */
export function bestLimits(rounds: readonly BootRound[], seed: number): BestLimits[] {
  const groups = bySetting(
    rounds.filter((round) => round.role === "measured" && isComplete(round)),
  );
  return groups.flatMap(({ setting, rounds: free }) => {
    if (setting.limit !== NO_LIMIT) return [];
    const arms = groups.filter(
      (group) =>
        group.setting.vms === setting.vms &&
        seriesKey({ ...group.setting, limit: NO_LIMIT }) === seriesKey(setting) &&
        (group.rounds === free || changeOf("limit", group.rounds, free, seed) !== undefined),
    );
    if (arms.length < 2) return [];
    const { vms, kind, pressure } = setting;
    const best = Object.fromEntries(
      BOOT_MEASURES.map((measure) => [
        measure,
        bestBy(
          measure,
          arms.map((arm) => ({ limit: arm.setting.limit, rounds: arm.rounds })),
          seed,
        ),
      ]),
    ) as Record<BootMeasure, BestLimit>;
    return [{ vms, kind, pressure, limits: arms.map((arm) => arm.setting.limit), best }];
  });
}

interface Arm {
  readonly limit: string;
  readonly rounds: readonly BootRound[];
}

/** @param arms  at least two, no limit first */
function bestBy(measure: BootMeasure, arms: readonly Arm[], seed: number): BestLimit {
  const meanOf = ({ rounds }: Arm) =>
    rounds.reduce((sum, round) => sum + measuresOf(round)[measure], 0) / rounds.length;
  const verdictOf = (arm: Arm, against: Arm) =>
    changeOf("limit", arm.rounds, against.rounds, seed)?.change[measure].verdict;
  const free = arms[0]!;
  const better = arms.filter((arm) => arm !== free && verdictOf(arm, free) === "better");
  const best = better.reduce((a, b) => (meanOf(b) < meanOf(a) ? b : a), better[0] ?? free);
  const alike = arms.filter((arm) => arm !== best && verdictOf(arm, best) !== "worse");
  return { limit: best.limit, alike: alike.map(({ limit }) => limit) };
}
