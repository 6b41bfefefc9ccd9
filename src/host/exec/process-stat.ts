import { readFileSync } from "node:fs";

/**
 * Clock ticks of /proc are of USER_HZ, which is 100 for programs on every Linux that runs VMs.
 * Source: include/asm-generic/param.h; man 5 proc
 */
export const TICK_NS = 1e9 / 100;

/**
 * /proc/PID/stat of now, field by field, numbered from 1 as in proc(5): `4242 (qemu-system-x86) S 1 …`.
 * @returns undefined when there is no such process
 */
export function processStat(pid: number): ((field: number) => string) | undefined {
  let stat: string;
  try {
    stat = readFileSync(`/proc/${pid}/stat`, "latin1");
  } catch {
    return undefined;
  }
  // The name may hold blanks and parentheses: the last one ends it, and the third field follows.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (field) => fields[field - 3] ?? "";
}
