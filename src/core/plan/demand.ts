import type { BootRun } from "./boot-run.ts";

/** Something that serves boots, and that all of them share. */
export interface Resource {
  /** Of a lock, of the PSP's queue, or CPUS. */
  readonly name: string;
  /** What a boot takes of it; of the CPUs its CPU time divided by their number. */
  readonly demandNs: number;
}

/** What boots demand, from boots that nobody disturbs. */
export interface Demand {
  readonly aloneNs: number;
  /** What is demanded most first. */
  readonly resources: readonly Resource[];
}

export const CPUS = "CPUs";

/** A boot of one group of guests alone, and the share of all boots that are like it. */
export interface AloneBoot {
  readonly run: BootRun;
  readonly share: number;
}

/** @param servesOne  whether a lock serves one boot at a time, so that demands for it add up */
export function demandOf(
  boots: readonly AloneBoot[],
  servesOne: (lock: string) => boolean,
): Demand {
  const mean = (of: (run: BootRun) => number) =>
    boots.reduce((sum, { run, share }) => sum + share * of(run), 0);
  const locks = new Set(boots.flatMap(({ run }) => run.locks.map(({ name }) => name)));
  const resources = [
    { name: CPUS, demandNs: mean(({ cpu, makespanNs }) => cpu.work * makespanNs) },
    ...[...locks].filter(servesOne).map((name) => ({
      name,
      demandNs: mean(({ locks }) => locks.find((lock) => lock.name === name)?.holdNs ?? 0),
    })),
  ];
  return {
    aloneNs: mean(({ makespanNs }) => makespanNs),
    resources: resources
      .filter(({ demandNs }) => demandNs > 0)
      .sort((a, b) => b.demandNs - a.demandNs),
  };
}

/**
 * N* = (S + Z)/S of the resource that is demanded most: with more boots in service than this some of
 * them must wait. Infinity where boots share nothing. Source: Lazowska et al., "Quantitative System
 * Performance", 1984, chapter 5.
 */
export function boundBoots({ aloneNs, resources }: Demand): number {
  const most = resources[0];
  return most === undefined ? Number.POSITIVE_INFINITY : aloneNs / most.demandNs;
}

/** Boots a second with so many in service, at most: min(n/T, 1/D). */
export function boundPerSecond({ aloneNs, resources }: Demand, boots: number): number {
  const most = resources[0]?.demandNs ?? 0;
  return 1e9 * Math.min(boots / aloneNs, most > 0 ? 1 / most : Number.POSITIVE_INFINITY);
}
