// The largest rate of requests that a host can serve with a p99 of at most so much. Rates are shares
// of the capacity: at 1 and above the queue grows without end, whatever a simulation of some hundred
// boots says.

/** The p99 of request to ready at a rate. */
export interface RatePoint {
  /** Of the capacity, 0 to 1. */
  readonly share: number;
  /** Of all replications together. */
  readonly p99Ns: number;
  readonly p99NsOfReplication: readonly number[];
}

export const FIRST_SHARES: readonly number[] = [0.1, 0.3, 0.5, 0.7, 0.85, 0.95];

const SHARE_RESOLUTION = 0.02;

/** The share to try next; undefined: the rate is known to 2 % of the capacity. */
export function nextShare(points: readonly RatePoint[], targetNs: number): number | undefined {
  const { below, above } = bracket(
    sorted(points, ({ p99Ns }) => p99Ns),
    targetNs,
  );
  return above.share - below.share > SHARE_RESOLUTION ? (below.share + above.share) / 2 : undefined;
}

/** The largest share that keeps the target, 0: none does. */
export function largestShare(
  points: readonly RatePoint[],
  targetNs: number,
  of: (point: RatePoint) => number = ({ p99Ns }) => p99Ns,
): number {
  const { below, above } = bracket(sorted(points, of), targetNs);
  if (below.share === 0 || above.share === 1) return below.share;
  const part = (targetNs - below.p99Ns) / (above.p99Ns - below.p99Ns);
  return below.share + part * (above.share - below.share);
}

export function largestSharesOfReplications(
  points: readonly RatePoint[],
  targetNs: number,
): number[] {
  return points[0]!.p99NsOfReplication.map((_, r) =>
    largestShare(points, targetNs, (point) => point.p99NsOfReplication[r]!),
  );
}

interface Place {
  readonly share: number;
  readonly p99Ns: number;
}

/** The first place where the target is exceeded, and the one before it. */
function bracket(places: readonly Place[], targetNs: number): { below: Place; above: Place } {
  const at = places.findIndex(({ p99Ns }) => p99Ns > targetNs);
  const none: Place = { share: 0, p99Ns: 0 };
  const all: Place = { share: 1, p99Ns: Number.POSITIVE_INFINITY };
  return {
    below: (at < 0 ? places.at(-1) : places[at - 1]) ?? none,
    above: at < 0 ? all : places[at]!,
  };
}

function sorted(points: readonly RatePoint[], of: (point: RatePoint) => number): Place[] {
  return points
    .map((point) => ({ share: point.share, p99Ns: of(point) }))
    .sort((a, b) => a.share - b.share);
}
