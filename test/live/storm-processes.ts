import { readdirSync, readFileSync } from "node:fs";

/** Numbers of the processes that say they belong to a run of `storm`: its VMMs, and what they started. */
export function processesOf(run: number): number[] {
  return readdirSync("/proc")
    .map(Number)
    .filter((pid) => {
      try {
        const environment = readFileSync(`/proc/${pid}/environ`, "latin1").split("\0");
        return environment.some((word) => new RegExp(`^BOOTSTORM_RUN=\\d+-${run}-`).test(word));
      } catch {
        return false; // It is none, or has ended.
      }
    });
}
