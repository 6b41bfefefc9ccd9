import type { Prose } from "../prose.ts";

/** `a`, `a and b`, `a, b and c` */
export function listed(items: readonly Prose[]): Prose {
  if (items.length < 2) return items[0] ?? [];
  return [...joined(items.slice(0, -1), ", "), " and ", ...items.at(-1)!];
}

export function joined(items: readonly Prose[], between: string): Prose {
  return items.flatMap((item, i) => (i === 0 ? item : [between, ...item]));
}
