import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { assert } from "../../core/assert.ts";
import { cgroupError } from "./failure.ts";
import type { Cgroup } from "./hierarchy.ts";

/** `weight`: share of CPU time against neighbours. `limit`: CPU time at most. `frozen`: nothing runs. */
export type Setting = "weight" | "limit" | "frozen";

/**
 * Who has used up its CPU time of a period waits for the next one. What it uses beyond, because the
 * kernel looks only at a tick (4 ms at HZ=250) and never in the middle of a system call, it owes and
 * waits for longer: at a twentieth of a CPU four milliseconds cost 80. So the period is short, and
 * the wait of a program that computes stays near 100 ms (kernel/sched/fair.c, CFS bandwidth).
 */
const LIMIT_PERIOD_US = 20_000;

/** Of version 2; version 1 has 1024 where this has 100 (kernel/sched/sched.h: CGROUP_WEIGHT_DFL). */
export const WEIGHT = { min: 1, default: 100, max: 10_000 } as const;
const SHARES_PER_WEIGHT = 1024 / WEIGHT.default;

/** As the kernel has them, without blanks: fit to be part of a name. */
export function readSetting(group: Cgroup, setting: Setting): readonly string[] {
  return filesOf(group, setting).flatMap((file) => readFile(group.folder, file).split(" "));
}

/** @param values  as `readSetting` gives them, or as `valuesOf…` makes them */
export function writeSetting(group: Cgroup, setting: Setting, values: readonly string[]): void {
  const files = filesOf(group, setting);
  assert(files.length > 0, `a group of kind ${group.kind} has ${setting}`);
  if (files.length === 1) writeFile(group.folder, files[0]!, values.join(" "));
  else for (const [i, file] of files.entries()) writeFile(group.folder, file, values[i]!);
}

/** @param weight  as in version 2, 1 to 10,000; 100 is what groups have by default */
export function valuesOfWeight(kind: Cgroup["kind"], weight: number): readonly string[] {
  const bounded = Math.min(Math.max(Math.round(weight), WEIGHT.min), WEIGHT.max);
  return [String(kind === "v1" ? Math.round(bounded * SHARES_PER_WEIGHT) : bounded)];
}

/** @param cpus  CPU time for each time that passes: 0.5 is half a CPU */
export function valuesOfLimit(cpus: number): readonly string[] {
  // min_cfs_quota_period (kernel/sched/core.c): less than 1 ms is refused.
  const quotaUs = Math.max(1_000, Math.round(cpus * LIMIT_PERIOD_US));
  return [String(quotaUs), String(LIMIT_PERIOD_US)];
}

function filesOf({ kind }: Cgroup, setting: Setting): readonly string[] {
  switch (setting) {
    case "weight":
      return kind === "v1" ? ["cpu.shares"] : ["cpu.weight"];
    case "limit":
      return kind === "v1" ? ["cpu.cfs_quota_us", "cpu.cfs_period_us"] : ["cpu.max"];
    case "frozen":
      return ["cgroup.freeze"];
  }
}

function readFile(folder: string, file: string): string {
  try {
    return readFileSync(join(folder, file), "latin1").trim();
  } catch (error) {
    throw cgroupError(folder, file, error);
  }
}

function writeFile(folder: string, file: string, value: string): void {
  try {
    writeFileSync(join(folder, file), value);
  } catch (error) {
    throw cgroupError(folder, file, error);
  }
}
