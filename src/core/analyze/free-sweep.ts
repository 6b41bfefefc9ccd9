// Rounds of the sweep of processes, file sizes and delays → points that a model can be fitted to.
import { assert } from "../assert.ts";
import { type Ratio, ratioOfMedians } from "../stats/bootstrap.ts";
import { distributionOf } from "../stats/distribution.ts";
import { beganTogether, type RoundResult, type Span } from "./pressure.ts";

/** One point of the sweep: files of secret memory freed one after the other by each process. */
export interface FreedPoint {
  readonly processes: number;
  readonly pagesPerFile: number;
  readonly filesPerProcess: number;
  /** As asked: what points are told apart by. */
  readonly delayAskedNs: number;
  /** As achieved, median of all rounds of this number of processes. */
  readonly delayNs: number;
  /** One value a round: mean over the processes of (time from first to last ÷ pages). */
  readonly nsPerPage: readonly number[];
}

/** What one process alone takes for a page, one value a round. */
export interface AlonePages {
  readonly secretFillNs: readonly number[];
  readonly plainFillNs: readonly number[];
  readonly secretFreeNs: readonly number[];
  readonly plainFreeNs: readonly number[];
}

/** How much longer a page takes when others free too: without a delay, in the largest files. */
export interface Slowdown {
  /** The most. */
  readonly processes: number;
  readonly secret: Ratio;
  /** The control: no direct-map change, all else alike. */
  readonly plain: Ratio;
}

/** True when all processes began to free at once; how they had filled does not matter. */
export function freedTogether({ workers }: RoundResult): boolean {
  return beganTogether(workers.map(({ free }) => free));
}

/**
 * True when next to no process of a round lost its CPU while it freed: one that did was away for
 * milliseconds, in which it waited for no lock and nobody for it.
 */
export function keptCpus({ workers }: RoundResult): boolean {
  const lost = workers.filter(({ freePreemptions = 0 }) => freePreemptions > 0);
  return lost.length <= 0.05 * workers.length;
}

/** @returns a point for each combination that has rounds, by processes, file size and delay */
export function freedPoints(rounds: readonly RoundResult[]): FreedPoint[] {
  const groups = new Map<string, RoundResult[]>();
  for (const round of rounds) {
    if (round.split === undefined) continue;
    const key = `${round.processes} ${round.split.files} ${round.split.delayNs}`;
    groups.set(key, [...(groups.get(key) ?? []), round]);
  }
  const points = [...groups.values()].map((group) => {
    const { processes, pages, split } = group[0]!;
    const { files, delayNs } = split!;
    return {
      processes,
      pagesPerFile: pages / files,
      filesPerProcess: files,
      delayAskedNs: delayNs,
      delayNs: achievedDelayNs(rounds, processes, delayNs),
      nsPerPage: group.map((round) => nsPerPage(round, "free")),
    };
  });
  return points.sort(
    (a, b) =>
      a.processes - b.processes ||
      a.pagesPerFile - b.pagesPerFile ||
      a.delayAskedNs - b.delayAskedNs,
  );
}

/** @param rounds  of a sweep, with its controls */
export function slowdownOf(
  rounds: readonly RoundResult[],
  points: readonly FreedPoint[],
  seed: number,
): Slowdown {
  const processes = Math.max(...points.map((point) => point.processes));
  const fewest = Math.min(...points.map((point) => point.processes));
  const secret = (count: number) => tightPoint(points, count).nsPerPage;
  const plain = (count: number) =>
    rounds
      .filter((round) => round.kind === "plain" && round.processes === count)
      .map((round) => nsPerPage(round, "free"));
  return {
    processes,
    secret: ratioOfMedians(secret(processes), secret(fewest), seed),
    plain: ratioOfMedians(plain(processes), plain(fewest), seed),
  };
}

/** True where secret pages lose more by running together than the control: something they share. */
export function showsLock({ secret, plain }: Slowdown): boolean {
  return secret.low > plain.high;
}

/** The largest files, without a delay. */
export function tightPoint(points: readonly FreedPoint[], processes: number): FreedPoint {
  const largest = largestFile(points);
  const point = points.find(
    (each) =>
      each.processes === processes && each.pagesPerFile === largest && each.delayAskedNs === 0,
  );
  assert(point !== undefined, "a sweep has every number of processes without a delay");
  return point;
}

export function largestFile(points: readonly Pick<FreedPoint, "pagesPerFile">[]): number {
  return Math.max(...points.map(({ pagesPerFile }) => pagesPerFile));
}

export function alonePages(rounds: readonly RoundResult[]): AlonePages {
  const of = (kind: RoundResult["kind"], phase: "fill" | "free") =>
    rounds
      .filter((round) => round.kind === kind && round.processes === 1 && round.split === undefined)
      .map((round) => nsPerPage(round, phase));
  return {
    secretFillNs: of("secret", "fill"),
    plainFillNs: of("plain", "fill"),
    secretFreeNs: of("secret", "free"),
    plainFreeNs: of("plain", "free"),
  };
}

function nsPerPage({ workers, pages }: RoundResult, phase: "fill" | "free"): number {
  return mean(workers.map((worker) => spanNs(worker[phase]) / pages));
}

/**
 * Of files of any size: the wait does not know how large the file was. The median, as of the times
 * of pages: a process that loses its CPU now and then loses it here too.
 */
function achievedDelayNs(
  rounds: readonly RoundResult[],
  processes: number,
  askedNs: number,
): number {
  const delays = rounds
    .filter((round) => round.processes === processes && round.split?.delayNs === askedNs)
    .flatMap(({ workers }) => workers.map(({ delayNs }) => delayNs ?? 0));
  return distributionOf(delays).median;
}

function spanNs({ startNs, endNs }: Span): number {
  return Number(endNs - startNs);
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
