import type { ProcessEntry } from "../event/schema.ts";

/** Gives each distinct process a small number: a process that took another name counts anew. */
export function processTable(): {
  intern(pid: number, name: string): number;
  readonly list: readonly ProcessEntry[];
} {
  const list: ProcessEntry[] = [];
  const indexOf = new Map<string, number>();
  function intern(pid: number, name: string): number {
    const key = `${pid} ${name}`;
    let index = indexOf.get(key);
    if (index === undefined) {
      index = list.length;
      indexOf.set(key, index);
      list.push({ pid, name });
    }
    return index;
  }
  return { intern, list };
}
