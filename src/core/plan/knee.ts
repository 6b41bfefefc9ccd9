import { meanOf } from "./planned.ts";

/** Throughput with so many boots in service. */
export interface ServicePoint {
  readonly boots: number;
  /** Boots a second, by replication. */
  readonly perSecond: readonly number[];
}

/** From here on more boots in service end boots hardly faster. */
export const KNEE_SHARE = 0.95;

/** Twice the bound: where holds vary, throughput is within a few percent of the best there. */
const BEYOND_BOUND = 2;
const BOOTS_LEAST = 4;
/** Boots that share nothing have no knee; more than this start on no host. */
const BOOTS_MOST = 1024;

/** The numbers to try first: 1, 2, 3, 4, 6, 8, 12, 16 … up to twice the bound. */
export function firstCounts(boundBoots: number): number[] {
  const beyond = Math.ceil(BEYOND_BOUND * boundBoots);
  const most = Math.min(Math.max(BOOTS_LEAST, beyond), BOOTS_MOST);
  const counts = new Set([1, most]);
  for (let power = 2; power < most; power *= 2) {
    counts.add(power);
    if (power * 1.5 < most) counts.add(power * 1.5);
  }
  return [...counts].sort((a, b) => a - b);
}

/** The number to try next, so that the knee is known to the boot; undefined: it is. */
export function nextCount(points: readonly ServicePoint[]): number | undefined {
  const sorted = byBoots(points);
  const knee = kneeOf(sorted);
  const before = sorted.findLast(({ boots }) => boots < knee)?.boots ?? 0;
  return knee - before > 1 ? Math.floor((before + knee) / 2) : undefined;
}

/** The smallest number in service with a throughput within 5 % of the best. */
export function kneeOf(
  points: readonly ServicePoint[],
  of: (point: ServicePoint) => number = ({ perSecond }) => meanOf(perSecond),
): number {
  const least = KNEE_SHARE * Math.max(...points.map(of));
  return byBoots(points).find((point) => of(point) >= least)!.boots;
}

/** The knee that each replication has by itself. */
export function kneesOfReplications(points: readonly ServicePoint[]): number[] {
  return points[0]!.perSecond.map((_, r) => kneeOf(points, ({ perSecond }) => perSecond[r]!));
}

function byBoots(points: readonly ServicePoint[]): ServicePoint[] {
  return [...points].sort((a, b) => a.boots - b.boots);
}
