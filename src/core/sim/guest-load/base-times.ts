import { quantileSorted } from "../../stats/distribution.ts";
import type { BaseTimes } from "./guest-costs.ts";
import type { BasePoint, PredictPlace } from "./prediction.ts";

/** Which points of the base kernel a calibration sees, on a host with so many CPUs. */
export class SeenPlaces {
  /** Where threads take turns, the fewest that toggle; undefined: nowhere. */
  readonly crowded: PredictPlace | undefined;

  constructor(places: readonly PredictPlace[], hostCpus: number) {
    const crowded = places
      .filter(({ load, threads }) => load === "toggle" && threads > hostCpus)
      .sort((a, b) => a.threads - b.threads || a.vcpus - b.vcpus);
    this.crowded = crowded[0];
  }

  has(place: PredictPlace): boolean {
    return place.threads === 1 || isByTwo(place) || this.isCrowded(place);
  }

  isCrowded({ load, threads }: PredictPlace): boolean {
    return load === "toggle" && threads === this.crowded?.threads;
  }
}

/** Two threads with CPUs of their own, and, where they flush, nobody else to answer. */
function isByTwo({ load, vcpus, threads }: PredictPlace): boolean {
  return threads === 2 && (load === "toggle" || vcpus === 2);
}

/**
 * Medians over boots. Toggling does not depend on the size of the guest: its boots are put together.
 * @param points  those that are seen
 * @param drawn  by point: indices of the boots to count
 * @returns a time is NaN where no point tells it
 */
export function baseTimes(
  points: readonly BasePoint[],
  seen: SeenPlaces,
  drawn: readonly ArrayLike<number>[],
): BaseTimes {
  const time = (isWanted: (point: BasePoint) => boolean) =>
    median(
      points.flatMap((point, i) =>
        isWanted(point) ? Array.from(drawn[i]!, (boot) => 1e9 / point.opsPerSecond[boot]!) : [],
      ),
    );
  const sizes = new Set(points.map((point) => point.vcpus));
  const toggles = (threads: number) =>
    time((point) => point.load === "toggle" && point.threads === threads);
  const splits = [...sizes].map((vcpus): readonly [number, number] => [
    vcpus,
    time((point) => point.load === "split" && point.threads === 1 && point.vcpus === vcpus),
  ]);
  return {
    toggleNs: toggles(1),
    toggleByTwoNs: toggles(2),
    toggleCrowdedNs: time((point) => seen.isCrowded(point)),
    splitNs: new Map(splits.filter(([, ns]) => !Number.isNaN(ns))),
    splitByTwoNs: time((point) => point.load === "split" && isByTwo(point)),
  };
}

function median(values: readonly number[]): number {
  if (values.length === 0) return Number.NaN;
  return quantileSorted(Float64Array.from(values).sort(), 0.5);
}
