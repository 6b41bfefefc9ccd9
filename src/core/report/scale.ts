import { assert } from "../assert.ts";

/** From data to the unit interval of an axis. */
export interface Scale {
  readonly kind: "linear" | "log";
  readonly low: number;
  readonly high: number;
  /** Round values within [low, high], ascending. */
  readonly ticks: readonly number[];
  /** 0 at `low`, 1 at `high`; beyond them it goes on. */
  at(value: number): number;
}

/** A range this many times its smallest value is easier to read on a logarithmic axis. */
const LOG_FROM_RATIO = 8;

/**
 * A logarithmic scale where the range calls for it, else a linear one from zero.
 * @param tickCount  about as many ticks as there is room for, at least 2
 */
export function scaleFor(low: number, high: number, tickCount: number): Scale {
  return low > 0 && high / low >= LOG_FROM_RATIO
    ? niceLog(low, high, tickCount)
    : niceLinear(Math.min(0, low), high, tickCount);
}

/** Linear, widened to round ends, with equal steps of 1, 2 or 5 times a power of ten. */
export function niceLinear(low: number, high: number, tickCount: number): Scale {
  assert(low <= high, "a scale goes upwards");
  assert(tickCount >= 2, "a scale has at least two ticks");
  const top = low === high ? low + Math.max(1, Math.abs(low) / 10) : high;
  const [mantissa, exponent] = roundUp((top - low) / tickCount);
  const multiple = (index: number) => timesPowerOfTen(index * mantissa, exponent);
  const step = multiple(1);
  const first = Math.floor(low / step);
  const last = Math.ceil(top / step);
  const ticks = Array.from({ length: last - first + 1 }, (_, index) => multiple(first + index));
  return linear(ticks[0]!, ticks[ticks.length - 1]!, ticks);
}

/** Logarithmic, widened to 1, 2 or 5 times a power of ten. */
export function niceLog(low: number, high: number, tickCount: number): Scale {
  assert(low > 0, "a logarithmic scale has no zero");
  assert(low <= high, "a scale goes upwards");
  assert(tickCount >= 2, "a scale has at least two ticks");
  // One decade too low, for log10 may round up to the next.
  let first = Math.floor(Math.log10(low)) * 3 - 3;
  while (oneTwoFive(first + 1) <= low) first += 1;
  let last = first + 1;
  while (oneTwoFive(last) < high) last += 1;
  return logarithmic(oneTwoFive(first), oneTwoFive(last), logTicks(first, last, tickCount));
}

/** Between exactly these ends, with the ticks given. */
export function linear(low: number, high: number, ticks: readonly number[]): Scale {
  const span = high - low || 1;
  return { kind: "linear", low, high, ticks, at: (value) => (value - low) / span };
}

/** Between exactly these ends, with the ticks given. */
export function logarithmic(low: number, high: number, ticks: readonly number[]): Scale {
  const span = Math.log(high / low) || 1;
  return { kind: "log", low, high, ticks, at: (value) => Math.log(value / low) / span };
}

/**
 * Exactly between the first and the last of some counts, such as numbers of VMs. They mostly double
 * from one to the next; then equal steps double, and a zero stands one doubling before the rest.
 * @param counts  ascending; they are the ticks
 */
export function countScale(counts: readonly number[]): Scale {
  const [low, high] = [counts[0] ?? 1, counts.at(-1) ?? 1];
  const least = counts.find((count) => count > 0) ?? 1;
  if (low < 0 || high / least < LOG_FROM_RATIO) return linear(low, high, counts);
  if (low > 0) return logarithmic(low, high, counts);
  const { at } = logarithmic(least / 2, high, counts);
  return { kind: "log", low, high, ticks: counts, at: (value) => at(Math.max(value, least / 2)) };
}

/** A tick as short as it can be said: `0`, `0.5`, `20`, `500 k`, `1 M`. */
export function tickLabel(value: number): string {
  const size = Math.abs(value);
  if (size >= 1e9) return `${plain(value / 1e9)} G`;
  if (size >= 1e6) return `${plain(value / 1e6)} M`;
  if (size >= 1e3) return `${plain(value / 1e3)} k`;
  return plain(value);
}

function plain(value: number): string {
  return String(Number(value.toPrecision(6)));
}

/** All of 1, 2, 5 times powers of ten if they fit, else powers of ten, else every n-th of those. */
function logTicks(first: number, last: number, tickCount: number): readonly number[] {
  const all = Array.from({ length: last - first + 1 }, (_, index) => first + index);
  const decades = all.filter((index) => index % 3 === 0);
  const every = Math.ceil(decades.length / tickCount);
  const thinned = decades.filter((_, index) => index % every === 0);
  const chosen = all.length <= tickCount ? all : thinned.length >= 2 ? thinned : [first, last];
  return chosen.map(oneTwoFive);
}

/** 0 → 1, 1 → 2, 2 → 5, 3 → 10, 4 → 20, … and downwards −1 → 0.5, −2 → 0.2, … */
function oneTwoFive(index: number): number {
  const exponent = Math.floor(index / 3);
  return timesPowerOfTen([1, 2, 5][index - exponent * 3]!, exponent);
}

/** The smallest 1, 2 or 5 times a power of ten that is not below a positive value. */
function roundUp(value: number): readonly [mantissa: number, exponent: number] {
  const exponent = Math.floor(Math.log10(value));
  for (const mantissa of [1, 2, 5]) {
    if (timesPowerOfTen(mantissa, exponent) >= value) return [mantissa, exponent];
  }
  return [1, exponent + 1];
}

/** Dividing by an exact power keeps 0.3 from becoming 0.30000000000000004. */
function timesPowerOfTen(value: number, exponent: number): number {
  return exponent < 0 ? value / 10 ** -exponent : value * 10 ** exponent;
}
