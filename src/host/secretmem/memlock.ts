import { readFileSync } from "node:fs";
import { assert } from "../../core/assert.ts";

/** RLIMIT_MEMLOCK of a process; Infinity for `unlimited`. */
export interface MemlockLimit {
  readonly softBytes: number;
  readonly hardBytes: number;
}

export function readMemlockLimit(): MemlockLimit {
  return parseMemlockLimit(readFileSync("/proc/self/limits", "utf8"));
}

/**
 * @param limits  /proc/PID/limits:
 * ```
 * Limit                     Soft Limit           Hard Limit           Units
 * Max locked memory         8388608              unlimited            bytes
 * ```
 */
export function parseMemlockLimit(limits: string): MemlockLimit {
  const line = /^Max locked memory +(\d+|unlimited) +(\d+|unlimited) /m.exec(limits);
  assert(line !== null, "/proc/self/limits has a line for locked memory");
  return { softBytes: bytesOf(line[1]!), hardBytes: bytesOf(line[2]!) };
}

function bytesOf(text: string): number {
  return text === "unlimited" ? Number.POSITIVE_INFINITY : Number(text);
}
