import type { Sample } from "./policy.ts";

/** A mean that reaches back LEAST_BOOTS boots. */
export type Mean = { readonly ns: number; readonly boots: number };

/** What a boot of one size takes with few beside it; a mean is absent where nobody has told. */
export type LeastBoot = {
  /** Of the memory, as a power of two of pages; 0 also where it is not known. */
  readonly size: number;
  cpu?: Mean;
  latency?: Mean;
};

export type BootEnd = Extract<Sample, { kind: "boot-finished" }>;

const LEAST_BOOTS = 16;

/** The row of boots of about this memory; a new one where there is none. */
export function leastOf(all: LeastBoot[], { pages = 1 }: BootEnd): LeastBoot {
  const size = 31 - Math.clz32(Math.max(1, pages));
  const known = all.find((each) => each.size === size);
  if (known !== undefined) return known;
  const least: LeastBoot = { size };
  all.push(least);
  return least;
}

export function learned(mean: Mean | undefined, ns: number): Mean {
  if (mean === undefined) return { ns, boots: 1 };
  const boots = Math.min(LEAST_BOOTS, mean.boots + 1);
  return { ns: mean.ns + (ns - mean.ns) / boots, boots };
}

/** All boots have become lighter, in this proportion. */
export function lighten(
  all: readonly LeastBoot[],
  of: "cpu" | "latency",
  proportion: number,
): void {
  for (const least of all) {
    const mean = least[of];
    if (mean !== undefined) least[of] = { ...mean, ns: mean.ns * proportion };
  }
}
