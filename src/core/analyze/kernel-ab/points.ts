// What each kernel did under each load.
import type { LoadLatency } from "../../event/kernel-run.ts";
import { distributionOf } from "../../stats/distribution.ts";
import { isSamePlace } from "./gains.ts";
import { type Measured, opsPerSecond } from "./measured.ts";
import type { ArmPoint, LoadPlace, LoadPoint } from "./result.ts";

/**
 * @param arms  how many the run has
 * @param measured  of boots that are timed
 */
export function loadPoints(
  places: readonly LoadPlace[],
  arms: number,
  measured: readonly Measured[],
): readonly LoadPoint[] {
  return places.map((place) => {
    const here = measured.filter((each) => isSamePlace(each, place));
    return {
      ...place,
      arms: Array.from({ length: arms }, (_, arm) =>
        pointOf(here.filter(({ boot }) => boot.arm === arm)),
      ),
    };
  });
}

function pointOf(boots: readonly Measured[]): ArmPoint | undefined {
  if (boots.length === 0) return undefined;
  const results = boots.map(({ result }) => result);
  const median = (key: keyof LoadLatency) =>
    distributionOf(results.map(({ latencyNs }) => latencyNs[key])).median;
  return {
    opsPerSecond: distributionOf(results.map(opsPerSecond)),
    meanNs: distributionOf(results.map(({ latencyNs }) => latencyNs.mean)),
    latencyNs: {
      mean: median("mean"),
      p50: median("p50"),
      p90: median("p90"),
      p99: median("p99"),
      max: median("max"),
    },
    // `mixed`: threads that toggle go on until the others are done.
    limited: results.filter(
      ({ ops, opsAsked, attributeChanges }) => (attributeChanges ?? ops) < opsAsked,
    ).length,
  };
}
