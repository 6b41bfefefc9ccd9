import { freedTogether, keptCpus } from "../../core/analyze/free-sweep.ts";
import type { FileSplit, RoundAsk } from "../../core/analyze/pressure.ts";
import { BootstormError, EXIT } from "../../core/error.ts";
import {
  type LoadLimits,
  measurePasses,
  type PressureMeasurement,
  type RecordingPass,
} from "./measure.ts";
import { inRandomOrder } from "./rounds.ts";

export interface SweepOptions extends LoadLimits {
  readonly processCounts: readonly number[];
  /** Pages of one file; fewer where a process may not take as many. */
  readonly pagesPerFile: readonly number[];
  /** Busy waits after each file that is freed. 0 is among them. */
  readonly delaysNs: readonly number[];
  /** Of every point, after as many `warmups`. */
  readonly rounds: number;
  readonly warmups: number;
  readonly seed: number;
  /** Further rounds: the most processes, the largest files, no delay, a recorder around them. */
  readonly recordings: readonly RecordingPass[];
}

/**
 * Measures what freeing secret memory takes at every number of processes, size of files and delay;
 * beside it, at every number of processes, the same of plain memory in one file, and what taking and
 * freeing secret pages takes one process: all of it in one random order.
 * @throws as `measurePressure`; TOO_FEW_ROUNDS when something could not be measured at all
 */
export async function measureSweep(options: SweepOptions): Promise<PressureMeasurement> {
  const { rounds, warmups, recordings, seed } = options;
  const most = Math.max(...options.processCounts);
  const measured = await measurePasses(options, most, (pages) => {
    const block = sweepBlock(options, pages);
    const tight = tightest(sweepPoints(options, pages));
    return {
      warmups: inRandomOrder(block, warmups, seed),
      measured: inRandomOrder(block, rounds, seed),
      recorded: recordings.map(({ rounds: repetitions, around }) => ({
        asks: inRandomOrder([tight], repetitions, seed),
        around,
      })),
      rule: { isTogether: freedTogether, isCalm: keptCpus },
    };
  });
  const seen = new Set(measured.rounds.map(askText));
  const missing = sweepBlock(options, measured.budget.pages).find((ask) => !seen.has(askText(ask)));
  if (missing !== undefined) throw tooFewRounds(missing);
  return measured;
}

type SplitAsk = RoundAsk & { readonly split: FileSplit };

/** The control is one point that all others are held against, and its rounds are short. */
const CONTROLS_A_REPETITION = 4;

function sweepBlock(options: SweepOptions, pages: number): RoundAsk[] {
  const controls = [...new Set([1, ...options.processCounts])].flatMap((processes) =>
    Array<RoundAsk>(CONTROLS_A_REPETITION).fill({ kind: "plain", processes, pages }),
  );
  return [...sweepPoints(options, pages), ...controls, { kind: "secret", processes: 1, pages }];
}

/** Every combination of processes, sizes and delays. */
function sweepPoints(
  { processCounts, pagesPerFile, delaysNs }: SweepOptions,
  pages: number,
): SplitAsk[] {
  const sizes = [...new Set(pagesPerFile.map((size) => Math.min(size, pages)))];
  return processCounts.flatMap((processes) =>
    sizes.flatMap((size) => {
      const files = Math.floor(pages / size);
      return delaysNs.map((delayNs) => ({
        kind: "secret" as const,
        processes,
        pages: files * size,
        split: { files, delayNs },
      }));
    }),
  );
}

/** The most contention: the most processes, the largest files, the least delay. */
function tightest(points: readonly SplitAsk[]): SplitAsk {
  return points.reduce((a, b) => {
    const more =
      b.processes - a.processes ||
      b.pages / b.split.files - a.pages / a.split.files ||
      a.split.delayNs - b.split.delayNs;
    return more > 0 ? b : a;
  });
}

function askText({ kind, processes, pages, split }: RoundAsk): string {
  return JSON.stringify([kind, processes, pages, split?.files, split?.delayNs]);
}

function tooFewRounds({ processes }: RoundAsk): BootstormError {
  return new BootstormError("TOO_FEW_ROUNDS", "a part of the sweep could not be measured", {
    why: `${processes} processes never started together: other work takes the CPUs`,
    remedies: ["run it when the machine is less busy", "ask for fewer processes"],
    exit: EXIT.host,
  });
}
