// Points of a sweep in the order in which they are drawn: measured beside what a model says.
import { type Distribution, distributionOf } from "../stats/distribution.ts";
import type { FittedPoint } from "./calibration-result.ts";
import { type FreedPoint, largestFile } from "./free-sweep.ts";

export interface ModelledPoint {
  readonly x: number;
  /** A page, each process. */
  readonly measuredNs: Distribution;
  readonly fittedNs: number;
  readonly leftOutNs: number;
}

/** Points of a sweep, each with what was fitted to it. */
export interface FittedSweep {
  readonly points: readonly FreedPoint[];
  readonly calibration: { readonly points: readonly FittedPoint[] };
}

/** As little work outside the lock as there is: the largest files, no delay. x: processes. */
export function againstProcesses(sweep: FittedSweep): ModelledPoint[] {
  const largest = largestFile(sweep.points);
  return modelled(
    sweep,
    ({ pagesPerFile, delayAskedNs }) => pagesPerFile === largest && delayAskedNs === 0,
    ({ processes }) => processes,
  );
}

/** The most processes and the smallest files, where a delay counts most. x: ns of delay. */
export function againstDelay(sweep: FittedSweep): ModelledPoint[] {
  const smallest = Math.min(...sweep.points.map(({ pagesPerFile }) => pagesPerFile));
  const most = Math.max(...sweep.points.map(({ processes }) => processes));
  return modelled(
    sweep,
    ({ pagesPerFile, processes }) => pagesPerFile === smallest && processes === most,
    ({ delayNs }) => Math.round(delayNs),
  );
}

function modelled(
  { points, calibration }: FittedSweep,
  isDrawn: (point: FreedPoint) => boolean,
  xOf: (point: FreedPoint) => number,
): ModelledPoint[] {
  return points.flatMap((point, i) => {
    const { fittedNs, leftOutNs } = calibration.points[i]!;
    const measuredNs = distributionOf(point.nsPerPage);
    return isDrawn(point) ? [{ x: xOf(point), measuredNs, fittedNs, leftOutNs }] : [];
  });
}
