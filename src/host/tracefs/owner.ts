import { readFileSync } from "node:fs";

/** Marks what we leave in the kernel while we run, so that a later start knows whose it was. */
const PREFIX = "bootstorm";

/** A name that tells our process from every other, even one that has the same number later. */
export function ownName(): string {
  return `${PREFIX}-${process.pid}-${startTicksOf(process.pid) ?? 0}`;
}

/** True for a name of `ownName` whose process has ended. */
export function isOrphan(name: string): boolean {
  const match = /^bootstorm-(\d+)-(\d+)$/.exec(name);
  if (match === null) return false;
  return startTicksOf(Number(match[1])) !== match[2];
}

/** When a process started, in clock ticks since boot; undefined when there is none. */
function startTicksOf(pid: number): string | undefined {
  let stat: string;
  try {
    stat = readFileSync(`/proc/${pid}/stat`, "latin1");
  } catch {
    return undefined;
  }
  // "pid (name) state …": the name may hold blanks and parentheses, the last one ends it. The start
  // time is the 22nd field, the 20th after the name.
  return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19];
}
