import { type Jacobian, jacobianOf, leastSquares } from "../stats/least-squares.ts";
import type { FreeLoad, FreeModel, FreeParameters } from "./calibration-model.ts";

/** A point as a fit sees it. */
export interface MeasuredLoad extends FreeLoad {
  readonly measuredNs: number;
}

/** Parameters whose neighbours all describe the points worse. */
export interface FreeFit {
  readonly parameters: FreeParameters;
  /** By point: ln(modelled ÷ measured). */
  readonly residuals: readonly number[];
  readonly sumOfSquares: number;
}

/**
 * Fits of the model to points by least squares of relative residuals, one from each start.
 * Parameters are looked for by their logarithms: they cannot become negative, and a step means the
 * same for each.
 */
export function fitsOf(
  loads: readonly MeasuredLoad[],
  model: FreeModel,
  spread: FreeParameters["spread"],
): readonly FreeFit[] {
  const residuals = residualsOf(loads, model, spread);
  return starts(loads, spread).map((start) => {
    const { x, ...found } = leastSquares(residuals, start.map(Math.log), STEP);
    return { ...found, parameters: parametersAt(x, spread) };
  });
}

export function bestOf<Fit extends FreeFit>(fits: readonly Fit[]): Fit {
  return fits.reduce((a, b) => (b.sumOfSquares < a.sumOfSquares ? b : a));
}

/** Relative change of a point (row) for a relative change of hold, outside and file (columns). */
export function relativeJacobian(
  loads: readonly MeasuredLoad[],
  model: FreeModel,
  { holdNs, outsideNs, fileNs, spread }: FreeParameters,
): Jacobian {
  const x = [holdNs, outsideNs, fileNs].map(Math.log);
  return jacobianOf(residualsOf(loads, model, spread), x, STEP);
}

/** Relative: the simulator's answer is rough below that. */
const STEP = 0.05;

function residualsOf(
  loads: readonly MeasuredLoad[],
  model: FreeModel,
  spread: FreeParameters["spread"],
) {
  return (x: readonly number[]) => {
    const parameters = parametersAt(x, spread);
    return loads.map((load) => Math.log(model.nsPerPage(parameters, load) / load.measuredNs));
  };
}

function parametersAt(x: readonly number[], spread: FreeParameters["spread"]): FreeParameters {
  const [holdNs, outsideNs, fileNs] = x.map(Math.exp);
  return { holdNs: holdNs!, outsideNs: outsideNs!, fileNs: fileNs!, spread };
}

/**
 * Hold, outside and file by closed forms: the fewest processes show hold + outside, and no point can
 * be faster than the lock, so that hold ≤ ns a page ÷ processes. How much less is for the fit.
 * Where nothing varies processes fall into step, and holds of different lengths do alike: several
 * minima, several starts.
 */
function starts(
  loads: readonly MeasuredLoad[],
  spread: FreeParameters["spread"],
): readonly (readonly number[])[] {
  const { pageNs, fileNs } = unhindered(loads);
  const fastest = Math.min(...loads.map((load) => load.measuredNs / load.processes));
  const holdMax = Math.min(fastest, 0.95 * pageNs);
  const shares = spread === "none" ? [0.95, 0.6, 0.3] : [0.6];
  return shares.map((share) => [share * holdMax, pageNs - share * holdMax, fileNs]);
}

/** The fewest processes: page + (file + delay) ÷ pages of a file, by a line through their points. */
function unhindered(loads: readonly MeasuredLoad[]): { pageNs: number; fileNs: number } {
  const fewest = Math.min(...loads.map((load) => load.processes));
  const points = loads
    .filter((load) => load.processes === fewest)
    .map(({ measuredNs, delayNs, pagesPerFile }) => ({
      filesPerPage: 1 / pagesPerFile,
      ns: Math.max(measuredNs - delayNs / pagesPerFile, 0.01 * measuredNs),
    }));
  const mean = (of: (point: (typeof points)[number]) => number) =>
    points.reduce((sum, point) => sum + of(point), 0) / points.length;
  const files = mean((point) => point.filesPerPage);
  const ns = mean((point) => point.ns);
  const variance = mean((point) => (point.filesPerPage - files) ** 2);
  const fileNs = mean((point) => (point.filesPerPage - files) * (point.ns - ns)) / variance;
  // Files of one size cannot tell a file's time from its pages'.
  const share = variance > 0 ? Math.max(0.02, Math.min(0.9, (fileNs * files) / ns)) : 0.3;
  return { pageNs: (1 - share) * ns, fileNs: (share * ns) / files };
}
