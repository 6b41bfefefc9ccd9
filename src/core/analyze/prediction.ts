// What a model that saw less of this host says of the rest, beside what was measured there.
import { type Distribution, distributionOf } from "../stats/distribution.ts";
import type { FittedCost, FittedHost } from "./calibration-result.ts";
import type { FreedPoint } from "./free-sweep.ts";

/** A prediction, or the reason why there is none. */
export type PredictionOutcome = Prediction | NoPrediction;

export interface Prediction {
  /** The most: without a delay, the fit has not seen so many. */
  readonly processes: number;
  readonly holdNs: FittedCost;
  readonly kneeProcesses: FittedHost["kneeProcesses"];
  /** One a size of file. */
  readonly points: readonly PredictedPoint[];
  /** The largest files without a delay, at every number of processes; the last one unseen. */
  readonly curve: readonly PredictedPoint[];
}

export interface NoPrediction {
  readonly why: string;
}

/** Time of a page, each process. */
export interface PredictedPoint {
  readonly processes: number;
  readonly pagesPerFile: number;
  readonly measuredNs: Distribution;
  readonly predictedNs: number;
}

/** The points for the fit, and those that it is not to see: the most processes without a delay. */
export function setApart(points: readonly FreedPoint[]): {
  readonly seen: readonly FreedPoint[];
  readonly unseen: readonly FreedPoint[];
} {
  const most = Math.max(...points.map((point) => point.processes));
  const isApart = ({ processes, delayAskedNs }: FreedPoint) =>
    processes === most && delayAskedNs === 0;
  return { seen: points.filter((point) => !isApart(point)), unseen: points.filter(isApart) };
}

/** @param predictNs  what the fitted model says of a point */
export function predictionOf(
  points: readonly FreedPoint[],
  fit: Pick<FittedHost, "holdNs" | "kneeProcesses">,
  predictNs: (point: FreedPoint) => number,
): Prediction {
  const { unseen } = setApart(points);
  const largest = Math.max(...points.map((point) => point.pagesPerFile));
  const tight = points.filter(
    ({ pagesPerFile, delayAskedNs }) => pagesPerFile === largest && delayAskedNs === 0,
  );
  const predicted = (point: FreedPoint): PredictedPoint => ({
    processes: point.processes,
    pagesPerFile: point.pagesPerFile,
    measuredNs: distributionOf(point.nsPerPage),
    predictedNs: predictNs(point),
  });
  return {
    processes: unseen[0]!.processes,
    holdNs: fit.holdNs,
    kneeProcesses: fit.kneeProcesses,
    points: unseen.map(predicted),
    curve: tight.map(predicted),
  };
}
