// How a time grows with a count: along a straight line, or flat up to a knee and along a line from
// there. Machines with C free CPUs give the second, T(N) = max(1, N/C)·t, what is serialised the first.
import { assert } from "../assert.ts";
import { quantileSorted } from "./distribution.ts";
import { type Estimate, resampled } from "./resample.ts";

export interface GrowthSample {
  readonly x: number;
  /** Positive. */
  readonly y: number;
}

/** y = base + slope·(x − the smallest x). */
export interface LineFit {
  readonly base: Estimate;
  readonly slope: Estimate;
}

/** y = base up to the knee, base + slope·(x − knee) from there. */
export interface KneeFit extends LineFit {
  readonly knee: Estimate;
}

export interface GrowthFit {
  readonly line: LineFit;
  /** Absent below three different x, or four samples. */
  readonly knee?: KneeFit;
  /** The one that describes the samples better, if one clearly does. */
  readonly better: "line" | "knee" | "undecided";
  /** BIC of the line minus that of the knee: positive speaks for the knee. */
  readonly bicGain?: number;
  /** The better one's distance from the median of the samples at the x where it is furthest from it,
   * relative to that median; the line's, where it is undecided. */
  readonly worst: { readonly x: number; readonly share: number };
}

/** Differences of BIC below it are "not worth more than a bare mention" (Kass and Raftery, 1995). */
const BIC_CLEAR = 2;
/** No measurement is nearer to a curve than this share; keeps the logarithm of BIC finite. */
const RESIDUAL_SHARE_LEAST = 1e-6;

/**
 * Least squares of both shapes. A sample counts by its relative error, since a boot that takes ten
 * times as long scatters ten times as much: weights are 1 over the squared median at its x. Intervals
 * by drawing the samples' relative distances from the curve anew, so that a few samples at each x are
 * enough (Davison and Hinkley, 1997, section 6.2.3). The better one by BIC (Schwarz, 1978).
 * The knee is the one with the least squares of all: between two x the best one is where the level of
 * what is left of it meets the line through what is right of it (Hudson, 1966). It is not looked for
 * between the last two x, where any slope would do.
 * @param samples  in any order, which does not matter
 * @returns undefined when a line cannot be told: below two different x, or three samples
 */
export function fitGrowth(samples: readonly GrowthSample[], seed: number): GrowthFit | undefined {
  const groups = groupsOf(samples);
  if (groups.length < 2 || samples.length < 3) return undefined;
  const line = lineOf(groups);
  const { base, slope } = withIntervals(line, groups, lineOf, 2, seed);
  const lineFit = { base, slope };
  if (groups.length < 3 || samples.length < 4) {
    return { line: lineFit, better: "line", worst: worstOf(line, groups) };
  }
  const knee = kneeOf(groups);
  const kneeFit = withIntervals(knee, groups, kneeOf, 3, seed);
  const bicGain = bicOf(line, samples.length, 2) - bicOf(knee, samples.length, 3);
  const better = Math.abs(bicGain) < BIC_CLEAR ? "undecided" : bicGain > 0 ? "knee" : "line";
  return {
    line: lineFit,
    knee: kneeFit,
    better,
    bicGain,
    worst: worstOf(better === "knee" ? knee : line, groups),
  };
}

/** A shape with its numbers: a line is one with its knee at the smallest x. */
interface Curve {
  readonly base: number;
  readonly slope: number;
  readonly knee: number;
  /** Of relative distances. */
  readonly squares: number;
}

/** The samples at one x. */
interface Group {
  readonly x: number;
  readonly ys: readonly number[];
  readonly mean: number;
  readonly median: number;
  /** Number of samples times the weight of each. */
  readonly weight: number;
  /** Weighted squares of their distances from their mean: no curve can have less. */
  readonly squares: number;
}

function groupsOf(samples: readonly GrowthSample[]): Group[] {
  const byX = new Map<number, number[]>();
  for (const { x, y } of samples) {
    assert(y > 0, "a time that grows is positive");
    byX.set(x, [...(byX.get(x) ?? []), y]);
  }
  return [...byX]
    .sort(([a], [b]) => a - b)
    .map(([x, unsorted]) => {
      const ys = unsorted.sort((a, b) => a - b);
      return groupOf(x, ys, quantileSorted(Float64Array.from(ys), 0.5));
    });
}

function groupOf(x: number, ys: readonly number[], median: number): Group {
  const mean = meanOf(ys);
  let squares = 0;
  for (const y of ys) squares += ((y - mean) / median) ** 2;
  return { x, ys, mean, median, weight: ys.length / median ** 2, squares };
}

function lineOf(groups: readonly Group[]): Curve {
  return bestWithKnee(groups, groups[0]!.x);
}

function kneeOf(groups: readonly Group[]): Curve {
  const candidates = groups.slice(0, -1).map(({ x }) => x);
  for (let left = 0; left + 2 < groups.length; left += 1) {
    const meeting = meetingPoint(groups.slice(0, left + 1), groups.slice(left + 1));
    if (meeting > groups[left]!.x && meeting < groups[left + 1]!.x) candidates.push(meeting);
  }
  return candidates
    .map((knee) => bestWithKnee(groups, knee))
    .reduce((best, each) => (each.squares < best.squares ? each : best));
}

/** Where the level of the left groups meets the line through the right ones; NaN where it does not. */
function meetingPoint(left: readonly Group[], right: readonly Group[]): number {
  const weight = left.reduce((sum, group) => sum + group.weight, 0);
  const level = left.reduce((sum, group) => sum + group.weight * group.mean, 0) / weight;
  const { base, slope, knee } = lineOf(right);
  return slope === 0 ? Number.NaN : knee + (level - base) / slope;
}

/** The best base and slope for one knee: the normal equations of two unknowns. */
function bestWithKnee(groups: readonly Group[], knee: number): Curve {
  let [w, wh, whh, wy, why] = [0, 0, 0, 0, 0];
  for (const { x, mean, weight } of groups) {
    const h = Math.max(0, x - knee);
    w += weight;
    wh += weight * h;
    whh += weight * h * h;
    wy += weight * mean;
    why += weight * h * mean;
  }
  const determinant = w * whh - wh * wh;
  const slope = determinant > 0 ? (w * why - wh * wy) / determinant : 0;
  const base = (wy - slope * wh) / w;
  const curve = { base, slope, knee };
  let squares = 0;
  for (const group of groups) {
    squares += group.squares + group.weight * (group.mean - heightOf(curve, group.x)) ** 2;
  }
  return { ...curve, squares };
}

function heightOf({ base, slope, knee }: Omit<Curve, "squares">, x: number): number {
  return base + slope * Math.max(0, x - knee);
}

function withIntervals(
  curve: Curve,
  groups: readonly Group[],
  shapeOf: (groups: readonly Group[]) => Curve,
  parameters: number,
  seed: number,
): KneeFit {
  const distances = groups.flatMap(({ x, ys, median }) =>
    ys.map((y) => (y - heightOf(curve, x)) / median),
  );
  const centre = meanOf(distances);
  // The curve went towards the samples: their distances from the true one are larger.
  const widen = Math.sqrt(distances.length / (distances.length - parameters));
  const [base, slope, knee] = resampled(
    [distances.length],
    ([drawn]) => {
      const fitted = shapeOf(redrawn(drawn!));
      return [fitted.base, fitted.slope, fitted.knee];
    },
    seed,
  );
  return {
    base: { ...base!, value: curve.base },
    slope: { ...slope!, value: curve.slope },
    knee: { ...knee!, value: curve.knee },
  };

  function redrawn(drawn: Int32Array): Group[] {
    let next = 0;
    return groups.map((group) => {
      const at = heightOf(curve, group.x);
      const ys = group.ys.map(() => {
        const distance = (distances[drawn[next]!]! - centre) * widen;
        next += 1;
        return at + distance * group.median;
      });
      return groupOf(group.x, ys, group.median);
    });
  }
}

function bicOf({ squares }: Curve, samples: number, parameters: number): number {
  const least = samples * RESIDUAL_SHARE_LEAST ** 2;
  return samples * Math.log(Math.max(squares, least) / samples) + parameters * Math.log(samples);
}

function worstOf(curve: Curve, groups: readonly Group[]): GrowthFit["worst"] {
  return groups
    .map(({ x, median }) => ({ x, share: (heightOf(curve, x) - median) / median }))
    .reduce((worst, each) => (Math.abs(each.share) > Math.abs(worst.share) ? each : worst));
}

function meanOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
