import { readFileSync } from "node:fs";

/**
 * When a process started, in clock ticks since boot: with its number it tells a process from every
 * other, even one that has the same number later.
 * @returns undefined when there is no such process, or only what is left of one that has ended
 */
export function startTicksOf(pid: number): string | undefined {
  let stat: string;
  try {
    stat = readFileSync(`/proc/${pid}/stat`, "latin1");
  } catch {
    return undefined;
  }
  // "pid (name) state …": the name may hold blanks and parentheses, the last one ends it. The start
  // time is the 22nd field, the 20th after the name.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const hasEnded = fields[0] === "Z" || fields[0] === "X";
  return hasEnded ? undefined : fields[19];
}
