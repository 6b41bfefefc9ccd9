import { startTicksOf } from "../exec/start-time.ts";

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
