import { quantileSorted } from "../../stats/distribution.ts";
import type { BaseTimes } from "./guest-costs.ts";
import type { BasePoint, PredictPlace } from "./prediction.ts";

/** The points that a calibration sees: one thread alone, and two that toggle on CPUs of their own. */
export function isSeen({ load, threads }: PredictPlace): boolean {
  return threads === 1 || (load === "toggle" && threads === 2);
}

/**
 * Medians over boots. Toggling does not depend on the size of the guest: its boots are put together.
 * @param drawn  by point: indices of the boots to count
 * @returns a time is NaN where no point tells it
 */
export function baseTimes(
  points: readonly BasePoint[],
  drawn: readonly ArrayLike<number>[],
): BaseTimes {
  const times = (isWanted: (point: BasePoint) => boolean) =>
    median(
      points.flatMap((point, i) =>
        isWanted(point) ? Array.from(drawn[i]!, (boot) => 1e9 / point.opsPerSecond[boot]!) : [],
      ),
    );
  const sizes = new Set(points.map((point) => point.vcpus));
  const toggles = (threads: number) =>
    times((point) => point.load === "toggle" && point.threads === threads);
  const splits = [...sizes].map((vcpus): readonly [number, number] => [
    vcpus,
    times((point) => point.load === "split" && point.threads === 1 && point.vcpus === vcpus),
  ]);
  return {
    toggleNs: toggles(1),
    toggleByTwoNs: toggles(2),
    splitNs: new Map(splits.filter(([, ns]) => !Number.isNaN(ns))),
  };
}

function median(values: readonly number[]): number {
  if (values.length === 0) return Number.NaN;
  return quantileSorted(Float64Array.from(values).sort(), 0.5);
}
