// Which places and which kernels are told, in which order, and which one is to be had.
import { type Gain, isSamePlace } from "../../analyze/kernel-ab/gains.ts";
import type { LoadPlace } from "../../analyze/kernel-ab/result.ts";
import type { KernelAbReport } from "./input.ts";
import { type Safety, safetyOf } from "./safety.ts";

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
