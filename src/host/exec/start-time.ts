import { processStat } from "./process-stat.ts";

/**
 * When a process started, in clock ticks since boot: with its number it tells a process from every
 * other, even one that has the same number later.
 * @returns undefined when there is no such process, or only what is left of one that has ended
 */
export function startTicksOf(pid: number): string | undefined {
  const stat = processStat(pid);
  if (stat === undefined) return undefined;
  const hasEnded = stat(3) === "Z" || stat(3) === "X";
  return hasEnded ? undefined : stat(22);
}
