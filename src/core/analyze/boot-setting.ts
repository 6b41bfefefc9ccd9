import type { BootRound } from "../event/boot.ts";

/** What tells one point of a storm from another: rounds with the same setting are repetitions. */
export type BootSetting = Pick<BootRound, "vms" | "limit" | "kind" | "pressure">;

/** A storm's rule of admission where nobody is held back. */
export const NO_LIMIT = "none";

export interface SettingGroup<R extends BootSetting> {
  readonly setting: BootSetting;
  readonly rounds: readonly R[];
}

/** Rounds by setting: confidential before plain, less pressure first, no limit first, fewer VMs first. */
export function bySetting<R extends BootSetting>(rounds: readonly R[]): SettingGroup<R>[] {
  const groups = new Map<string, R[]>();
  for (const round of rounds) {
    const key = settingKey(round);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [round]);
    else group.push(round);
  }
  return [...groups.values()]
    .map((group) => ({ setting: settingOf(group[0]!), rounds: group }))
    .sort((a, b) => compareSettings(a.setting, b.setting));
}

export function settingOf({ vms, limit, kind, pressure }: BootSetting): BootSetting {
  return { vms, limit, kind, pressure };
}

export function settingKey(setting: BootSetting): string {
  return `${setting.vms} ${seriesKey(setting)}`;
}

/** Alike for points that differ in the number of VMs only. */
export function seriesKey({ limit, kind, pressure }: Omit<BootSetting, "vms">): string {
  return `${kind} ${pressure} ${limit}`;
}

export function compareSettings(a: BootSetting, b: BootSetting): number {
  return (
    compareWords(a.kind, b.kind) ||
    a.pressure - b.pressure ||
    limitRank(a.limit) - limitRank(b.limit) ||
    compareWords(a.limit, b.limit) ||
    a.vms - b.vms
  );
}

/**
 * The points that the answer is about: confidential VMs where there are any, the least pressure, no
 * limit where that was tried.
 * @param points  in the order of `bySetting`
 */
export function mainSeries<P extends BootSetting>(points: readonly P[]): readonly P[] {
  const first = points[0];
  return first === undefined ? [] : points.filter((each) => seriesKey(each) === seriesKey(first));
}

/** No limit, then numbers, then policies by name. */
function limitRank(limit: string): number {
  if (limit === NO_LIMIT) return -1;
  return /^\d+$/.test(limit) ? Number(limit) : Number.MAX_SAFE_INTEGER;
}

function compareWords(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
