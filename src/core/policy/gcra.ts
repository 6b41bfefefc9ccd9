import { assert } from "../assert.ts";
import { PAGES_PER_ASK_MAX } from "./policy.ts";

/**
 * A token bucket as the generic cell rate algorithm keeps it (ITU-T I.371): one time, the
 * theoretical arrival time (TAT), at which the bucket will be full again. Nothing has to be
 * refilled, and nothing is rounded: the time is whole ns and a fraction of 1/pagesPerSecond ns.
 *
 * In every window of time w, whatever the asks and however late they are let go,
 *
 *     pages ≤ max(burst, pages of the first ask of the window) + pagesPerSecond · w
 *
 * An ask larger than the burst takes a full bucket and waits for the rest.
 */
export interface Bucket {
  tatNs: number;
  /** 0..pagesPerSecond−1, in units of 1/pagesPerSecond ns. */
  tatFrac: number;
}

export interface Rate {
  readonly pagesPerSecond: number;
  readonly burstPages: number;
  /** The burst as time: the tolerance τ of GCRA. */
  readonly burstNs: number;
  readonly burstFrac: number;
}

/** At this rate the largest ask takes 23 hours: times stay far below 2^53. */
export const PAGES_PER_SECOND_MIN = 100;
export const PAGES_PER_SECOND_MAX = 1e9;

const NS_PER_SECOND = 1e9;

export function rateOf(pagesPerSecond: number, burstPages: number): Rate {
  assert(Number.isInteger(pagesPerSecond), "a rate is a whole number of pages");
  assert(pagesPerSecond >= PAGES_PER_SECOND_MIN, "a rate is not too low to be exact");
  assert(pagesPerSecond <= PAGES_PER_SECOND_MAX, "a rate is at most a page per ns");
  assert(burstPages >= 1 && burstPages <= PAGES_PER_ASK_MAX, "a burst is 1..2^23 pages");
  const burstNs = wholeNs(pagesPerSecond, burstPages);
  const burstFrac = burstPages * NS_PER_SECOND - burstNs * pagesPerSecond;
  return { pagesPerSecond, burstPages, burstNs, burstFrac };
}

export function createBucket(): Bucket {
  return { tatNs: 0, tatFrac: 0 };
}

/**
 * The first ns at which the ask may go.
 * @param sinceNs  when it came first in its line
 */
export function dueNs(rate: Rate, bucket: Bucket, sinceNs: number, pages: number): number {
  const costNs = wholeNs(rate.pagesPerSecond, pages);
  const isLate = bucket.tatNs >= sinceNs;
  const baseNs = isLate ? bucket.tatNs : sinceNs;
  // −rate < frac < 2 · rate, so rounding up adds 0, 1 or 2 ns.
  const frac =
    (isLate ? bucket.tatFrac : 0) +
    (pages * NS_PER_SECOND - costNs * rate.pagesPerSecond) -
    rate.burstFrac;
  const up = frac <= 0 ? 0 : frac <= rate.pagesPerSecond ? 1 : 2;
  return Math.max(sinceNs, baseNs + costNs - rate.burstNs + up);
}

/** Lets the ask go at nowNs ≥ dueNs: TAT ← max(max(since, TAT) + pages, now + min(pages, burst)). */
export function charge(
  rate: Rate,
  bucket: Bucket,
  sinceNs: number,
  pages: number,
  nowNs: number,
): void {
  if (bucket.tatNs < sinceNs) set(bucket, sinceNs, 0);
  add(rate, bucket, pages);
  raise(rate, bucket, nowNs, Math.min(pages, rate.burstPages));
}

/**
 * Takes what was let go without regard to the rate: the bucket is as empty as the ask can make it,
 * and no emptier. A debt would be paid by later asks that kept to the rate.
 */
export function drain(rate: Rate, bucket: Bucket, pages: number, nowNs: number): void {
  if (bucket.tatNs < nowNs) set(bucket, nowNs, 0);
  add(rate, bucket, pages);
  const emptyNs = nowNs + rate.burstNs;
  const isEmptier =
    bucket.tatNs > emptyNs || (bucket.tatNs === emptyNs && bucket.tatFrac > rate.burstFrac);
  if (isEmptier) set(bucket, emptyNs, rate.burstFrac);
}

function add(rate: Rate, bucket: Bucket, pages: number): void {
  const costNs = wholeNs(rate.pagesPerSecond, pages);
  const frac = bucket.tatFrac + pages * NS_PER_SECOND - costNs * rate.pagesPerSecond;
  const carry = frac >= rate.pagesPerSecond;
  bucket.tatNs += carry ? costNs + 1 : costNs;
  bucket.tatFrac = carry ? frac - rate.pagesPerSecond : frac;
}

/** TAT ← max(TAT, now + pages). */
function raise(rate: Rate, bucket: Bucket, nowNs: number, pages: number): void {
  const costNs = wholeNs(rate.pagesPerSecond, pages);
  const ns = nowNs + costNs;
  const frac = pages * NS_PER_SECOND - costNs * rate.pagesPerSecond;
  if (bucket.tatNs < ns || (bucket.tatNs === ns && bucket.tatFrac < frac)) set(bucket, ns, frac);
}

function set(bucket: Bucket, ns: number, frac: number): void {
  bucket.tatNs = ns;
  bucket.tatFrac = frac;
}

/** ⌊pages · 10⁹ / rate⌋. The product is exact below 2^53; the quotient may round up to the next. */
function wholeNs(pagesPerSecond: number, pages: number): number {
  const scaled = pages * NS_PER_SECOND;
  const whole = Math.floor(scaled / pagesPerSecond);
  return whole * pagesPerSecond > scaled ? whole - 1 : whole;
}
