// What kernels, loads and gains are called.
import type { GainRange } from "../../analyze/kernel-ab/gains.ts";
import type { GuestLoad, LoadPlace } from "../../analyze/kernel-ab/result.ts";
import { threeDigits } from "../../units.ts";
import type { KernelAbReport } from "./input.ts";
import type { Speed } from "./ranking.ts";

const LOAD_VERBS: Readonly<Record<GuestLoad, string>> = {
  toggle: "toggle pages",
  split: "split 2 MiB entries",
  mixed: "change attributes",
};

/** What an operation of each load is, for who has not seen the kernel's side of it. */
export const LOAD_MEANING: Readonly<Record<GuestLoad, string>> = {
  toggle: "makes a page invalid or valid again, where the mapping is 4 KiB already",
  split: "first change in a 2 MiB mapping: a split, with a flush of all TLBs",
  mixed: "attribute changes, as of a module's text, beside threads that toggle",
};

export function threads(count: number): string {
  return `${count} ${count === 1 ? "thread" : "threads"}`;
}

/** `4 threads that toggle pages`, `lone threads that toggle pages`: more than one in any sentence */
export function whoText({ load, threads: count }: LoadPlace): string {
  return `${count === 1 ? "lone" : count} threads that ${LOAD_VERBS[load]}`;
}

/** `toggle, 4 threads on 4 vCPUs` */
export function placeText({ load, threads: count, vcpus }: LoadPlace): string {
  return `${load}, ${threads(count)} on ${vcpus} ${vcpus === 1 ? "vCPU" : "vCPUs"}`;
}

/** `3.61× (3.10 to 4.20)`; an interval that has no end is left out. */
export function gainText(gain: GainRange): string {
  return `${threeDigits(gain.value)}×${rangeText(gain)}`;
}

/** `3.61 (3.10 to 4.20)`, in front of "times as much" */
export function timesText(gain: GainRange): string {
  return `${threeDigits(gain.value)}${rangeText(gain)}`;
}

function rangeText({ low, high }: GainRange): string {
  return low === undefined || high === undefined
    ? ""
    : ` (${threeDigits(low)} to ${threeDigits(high)})`;
}

export const GAIN_WORDS = {
  faster: "faster",
  slower: "slower",
  "no-difference": "no difference",
  "too-few": "too few pairs",
} as const;

export const SPEED_WORDS: Readonly<Record<Speed, string>> = {
  ...GAIN_WORDS,
  both: "faster and slower",
  "not-measured": "not measured",
};

/** Why a gain is not there. */
export function notMeasured({ result }: KernelAbReport, arm: number, { load }: LoadPlace): string {
  const hasNothing = load === "split" && result.arms[arm]!.design?.start === "4k";
  return hasNothing ? "nothing to split" : "not measured";
}
