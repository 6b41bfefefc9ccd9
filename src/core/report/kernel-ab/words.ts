// What kernels, loads and gains are called.
import { type Gain, type GainRange, isSamePlace } from "../../analyze/kernel-ab/gains.ts";
import type { GuestLoad, LoadPlace } from "../../analyze/kernel-ab/result.ts";
import { threeDigits } from "../../units.ts";
import type { KernelAbReport } from "./input.ts";
import { type Safety, safetyOf } from "./safety.ts";

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

/** Where most is at stake: for each load the largest guest with the most threads. */
export function mainPlaces({
  points,
}: {
  readonly points: readonly LoadPlace[];
}): readonly LoadPlace[] {
  return (["toggle", "split"] as const).flatMap((load) => {
    const own = points.filter((point) => point.load === load);
    const most = own.toSorted((a, b) => b.vcpus - a.vcpus || b.threads - a.threads)[0];
    return most === undefined ? [] : [{ load, vcpus: most.vcpus, threads: most.threads }];
  });
}

export function gainAt(
  { gains }: Pick<KernelAbReport, "gains">,
  arm: number,
  place: LoadPlace,
): Gain | undefined {
  return gains.rows.find((row) => row.arm === arm && isSamePlace(row, place));
}

/** `faster`: at some main place, and slower at none. */
export type Speed = "faster" | "slower" | "both" | "no-difference" | "too-few" | "not-measured";

export const SPEED_WORDS: Readonly<Record<Speed, string>> = {
  ...GAIN_WORDS,
  both: "faster and slower",
  "not-measured": "not measured",
};

export function speedOf(report: KernelAbReport, arm: number): Speed {
  const verdicts = mainPlaces(report.result).flatMap(
    (place) => gainAt(report, arm, place)?.measured?.verdict ?? [],
  );
  const has = (one: (typeof verdicts)[number]) => verdicts.includes(one);
  if (verdicts.length === 0) return "not-measured";
  if (has("faster")) return has("slower") ? "both" : "faster";
  if (has("slower")) return "slower";
  return has("no-difference") ? "no-difference" : "too-few";
}

const SAFETY_ORDER: readonly Safety[] = ["safe", "safe-if-own", "unknown", "unsafe"];

/** Arms but the base as they are told: the safe first, of these the fastest. */
export function armsInOrder(report: KernelAbReport): readonly number[] {
  const [first] = mainPlaces(report.result);
  const gain = (arm: number) =>
    (first && gainAt(report, arm, first)?.measured?.value) ?? Number.NEGATIVE_INFINITY;
  const rank = (arm: number) => SAFETY_ORDER.indexOf(safetyOf(report.verdicts[arm] ?? []));
  return report.result.arms
    .map((_, arm) => arm)
    .slice(1)
    .sort((a, b) => rank(a) - rank(b) || gain(b) - gain(a) || a - b);
}

/** What the answer recommends. */
export function fastestSafe(report: KernelAbReport): number | undefined {
  return armsInOrder(report).find(
    (arm) => isSafe(report, arm) && speedOf(report, arm) === "faster",
  );
}

/** At least where each page has one owner. */
export function isSafe({ verdicts }: KernelAbReport, arm: number): boolean {
  const safety = safetyOf(verdicts[arm] ?? []);
  return safety === "safe" || safety === "safe-if-own";
}

/** Why a gain is not there. */
export function notMeasured({ result }: KernelAbReport, arm: number, { load }: LoadPlace): string {
  const hasNothing = load === "split" && result.arms[arm]!.design?.start === "4k";
  return hasNothing ? "nothing to split" : "not measured";
}
