import { readFileSync } from "node:fs";
import { assert } from "../../core/assert.ts";

/** The CPUs this process may use, in the order in which pressure processes take them. */
export function cpusForPressure(): number[] {
  return coresFirst(allowedCpus(), (cpu) => threadSiblings(cpu));
}

/** `0-3,8,10-11` → 0 1 2 3 8 10 11. The format of Cpus_allowed_list and of most lists in sysfs. */
export function parseCpuList(list: string): number[] {
  return list
    .trim()
    .split(",")
    .filter((range) => range !== "")
    .flatMap((range) => {
      const [first = 0, last = first] = range.split("-").map(Number);
      return Array.from({ length: last - first + 1 }, (_, i) => first + i);
    });
}

/**
 * First a thread of every core, then the second threads: two processes share a core only when
 * there are more of them than cores, or the curve would show hyperthreading instead of locks.
 */
export function coresFirst(
  cpus: readonly number[],
  siblingsOf: (cpu: number) => readonly number[],
): number[] {
  const allowed = new Set(cpus);
  const threadOfCore = (cpu: number) =>
    siblingsOf(cpu)
      .filter((sibling) => allowed.has(sibling))
      .indexOf(cpu);
  return [...cpus].sort((a, b) => threadOfCore(a) - threadOfCore(b) || a - b);
}

function allowedCpus(): number[] {
  const status = readFileSync("/proc/self/status", "utf8");
  const list = /^Cpus_allowed_list:\s*(\S+)$/m.exec(status)?.[1];
  assert(list !== undefined, "/proc/self/status has Cpus_allowed_list");
  return parseCpuList(list);
}

function threadSiblings(cpu: number): number[] {
  try {
    const topology = `/sys/devices/system/cpu/cpu${cpu}/topology`;
    return parseCpuList(readFileSync(`${topology}/thread_siblings_list`, "utf8"));
  } catch {
    // No sysfs in this container, or no topology on this machine: every CPU is its own core.
    return [cpu];
  }
}
