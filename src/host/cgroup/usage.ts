import { readFileSync } from "node:fs";
import { join } from "node:path";
import { processStat, TICK_NS } from "../exec/process-stat.ts";
import type { Cgroup } from "./hierarchy.ts";

/** CPU time since the start, ns. The time of a guest counts as user time. */
export interface CpuUsage {
  readonly userNs: number;
  readonly systemNs: number;
}

/**
 * CPU time of a group as the kernel counts it.
 * @returns undefined when it does not count it, or the group is gone
 */
export function groupUsage({ kind, path, folder, accounting }: Cgroup): CpuUsage | undefined {
  if (path === "/") return undefined; // That of the whole host.
  try {
    if (kind !== "v1") return readCpuStat(readFileSync(join(folder, "cpu.stat"), "latin1"));
    if (accounting === undefined) return undefined;
    const read = (file: string) => Number(readFileSync(join(accounting, file), "latin1"));
    return { userNs: read("cpuacct.usage_user"), systemNs: read("cpuacct.usage_sys") };
  } catch {
    return undefined;
  }
}

/** Version 2: `usage_usec 5310`, `user_usec 4212`, `system_usec 1098`, … one a line. */
export function readCpuStat(text: string): CpuUsage | undefined {
  const [, user] = /^user_usec (\d+)$/m.exec(text) ?? [];
  const [, system] = /^system_usec (\d+)$/m.exec(text) ?? [];
  if (user === undefined || system === undefined) return undefined;
  return { userNs: Number(user) * 1000, systemNs: Number(system) * 1000 };
}

/** CPU time of processes, and of those they have started and waited for. Of the ended: nothing. */
export function processUsage(pids: Iterable<number>): CpuUsage {
  let userNs = 0;
  let systemNs = 0;
  for (const pid of pids) {
    const usage = usageOf(pid);
    userNs += usage.userNs;
    systemNs += usage.systemNs;
  }
  return { userNs, systemNs };
}

/** utime, stime, cutime and cstime. */
function usageOf(pid: number): CpuUsage {
  const stat = processStat(pid);
  if (stat === undefined) return { userNs: 0, systemNs: 0 };
  const ticks = (field: number) => Number(stat(field));
  return {
    userNs: (ticks(14) + ticks(16)) * TICK_NS,
    systemNs: (ticks(15) + ticks(17)) * TICK_NS,
  };
}
