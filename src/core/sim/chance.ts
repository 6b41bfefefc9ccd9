import { type Random, randomFrom } from "../random.ts";
import { exp, ln, normalQuantile } from "./exact-math.ts";

/** What a stream is for. One stream for each task and purpose: two designs meet the same chance. */
const PURPOSE = { hold: 1, think: 2, phase: 3 } as const;

export function stream(seed: number, task: number, purpose: keyof typeof PURPOSE): Random {
  return randomFrom(mix(mix(seed, task), PURPOSE[purpose]));
}

/** Log-normal with that mean and coefficient of variation, in whole nanoseconds. */
export function phaseDraw(random: Random, meanNs: number, cv: number): number {
  if (cv === 0) return meanNs;
  const sigma2 = ln(1 + cv * cv);
  const u = (random.u32() + 0.5) / 2 ** 32;
  return Math.round(meanNs * exp(Math.sqrt(sigma2) * normalQuantile(u) - sigma2 / 2));
}

/** A 32-bit hash of two integers, with the finaliser of MurmurHash3. */
export function mix(a: number, b: number): number {
  let h = Math.imul(a | 0, 0x9e3779b1) ^ Math.imul((b | 0) + 0x7f4a7c15, 0x85ebca6b);
  h ^= h >>> 16;
  h = Math.imul(h, 0x85ebca6b);
  h ^= h >>> 13;
  h = Math.imul(h, 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}
