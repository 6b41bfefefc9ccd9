import type { RoundAsk, RoundResult } from "../../core/analyze/pressure.ts";
import type { Reject } from "../../core/analyze/result.ts";
import { BootstormError, EXIT } from "../../core/error.ts";
import type { DirectMapCounters } from "../../core/facts/direct-map-counters.ts";
import { type PageBudget, pageBudget } from "./budget.ts";
import { readDirectMapCounters, readMemAvailableBytes } from "./counters.ts";
import { type Crew, startCrew } from "./crew.ts";
import { memlockTooLow } from "./failure.ts";
import { orderRounds, type RoundRule, type RoundsRun, runRounds } from "./rounds.ts";

export interface LoadLimits {
  readonly pagesPerProcess: number;
  /** 0..1, of the available memory, for all processes together. */
  readonly memoryShare: number;
  /** How long a worker may take to start, or to answer one order. */
  readonly answerLimitMs: number;
  readonly signal: AbortSignal;
  readonly onProgress?: (done: number, total: number) => void;
}

export interface PressureOptions extends LoadLimits {
  /** None above `cpusForPressure().length`: processes that share a CPU cannot start together. */
  readonly processCounts: readonly number[];
  /** Of each kind at each number of processes, after as many `warmups`. */
  readonly rounds: number;
  readonly warmups: number;
  readonly seed: number;
  /** Further rounds with a recorder around them, after and apart from the unrecorded ones. */
  readonly recordings: readonly RecordingPass[];
}

export interface RecordingPass {
  /** Of each kind at each number of processes. */
  readonly rounds: number;
  /** Starts a recorder, runs `work`, stops the recorder. */
  around(work: () => Promise<void>): Promise<void>;
}

export interface PressureMeasurement {
  readonly rounds: readonly RoundResult[];
  /** The rounds of each recording pass. */
  readonly recorded: readonly (readonly RoundResult[])[];
  readonly rejects: readonly Reject[];
  /** Rounds that count although they were disturbed, of those not recorded. */
  readonly disturbed: number;
  /** The pages each process took, which may be fewer than asked. */
  readonly budget: PageBudget;
  /** RLIMIT_MEMLOCK of the workers; Infinity when there is none. */
  readonly memlockBytes: number;
  readonly directMap: { readonly before: DirectMapCounters; readonly after: DirectMapCounters };
}

/**
 * Measures direct-map work at every number of processes. No process and no secret page is left
 * when it returns or throws.
 * @throws BootstormError as `startCrew` and `Crew.round`; MEMLOCK_TOO_LOW and MEMORY_TOO_LOW when
 * the limits leave too few pages to measure anything
 */
export function measurePressure(options: PressureOptions): Promise<PressureMeasurement> {
  const { processCounts, seed } = options;
  return measurePasses(options, Math.max(...processCounts), (pages) => {
    const plan = (repetitions: number) => orderRounds({ processCounts, pages, repetitions, seed });
    return {
      warmups: plan(options.warmups),
      measured: plan(options.rounds),
      recorded: options.recordings.map(({ rounds, around }) => ({ asks: plan(rounds), around })),
    };
  });
}

/** Rounds that do not count, rounds that do, and rounds with a recorder around them. */
export interface Passes {
  readonly warmups: readonly RoundAsk[];
  readonly measured: readonly RoundAsk[];
  readonly recorded: readonly {
    readonly asks: readonly RoundAsk[];
    around(work: () => Promise<void>): Promise<void>;
  }[];
  /** Absent: every round counts whose processes started each phase together. */
  readonly rule?: RoundRule;
}

/**
 * Runs passes with one crew, and leaves nothing of it.
 * @param processes  the most of any round
 * @param passesOf  for the pages that a process may take
 * @throws as `measurePressure`
 */
export async function measurePasses(
  options: LoadLimits,
  processes: number,
  passesOf: (pages: number) => Passes,
): Promise<PressureMeasurement> {
  const before = readDirectMapCounters();
  const { crew, budget } = await startCrewWithin(options, processes);
  const runs: RoundsRun[] = [];
  let done = 0;
  try {
    const { warmups, measured, recorded, rule } = passesOf(budget.pages);
    const passes = [
      { asks: warmups, around: unrecorded },
      { asks: measured, around: unrecorded },
      ...recorded,
    ];
    const total = passes.reduce((sum, { asks }) => sum + asks.length, 0);
    for (const { asks, around } of passes) {
      await around(async () => {
        const onRound = () => {
          done += 1;
          options.onProgress?.(done, total);
        };
        runs.push(await runRounds(crew, asks, onRound, rule));
      });
    }
    const [, ofMeasured, ...ofRecorded] = runs;
    await crew.close();
    return {
      rounds: ofMeasured!.rounds,
      recorded: ofRecorded.map(({ rounds }) => rounds),
      rejects: [
        {
          why: "the processes of a round did not start together",
          count: runs.reduce((sum, { rejected }) => sum + rejected, 0),
        },
      ],
      disturbed: ofMeasured!.disturbed,
      budget,
      memlockBytes: crew.memlockBytes,
      directMap: { before, after: readDirectMapCounters() },
    };
  } finally {
    await crew.close();
  }
}

function unrecorded(work: () => Promise<void>): Promise<void> {
  return work();
}

// Fewer take less time than a process needs to be woken: at 1 µs a page, 64 µs.
const PAGES_MIN = 64;

/**
 * Starts a crew and finds how many pages it may take. Whether the kernel counts locked memory for a
 * process or for all of a user, and whether it exempts us, cannot be asked, only tried: with one
 * round of all processes. If it refuses, a new crew keeps to the strict reading of the limit.
 */
async function startCrewWithin(
  options: LoadLimits,
  processes: number,
): Promise<{ readonly crew: Crew; readonly budget: PageBudget }> {
  const ask = {
    pages: options.pagesPerProcess,
    processes,
    memAvailableBytes: readMemAvailableBytes(),
    memoryShare: options.memoryShare,
  };
  const start = ({ pages }: PageBudget) => startCrew({ ...options, processes, pages });
  const wanted = pageBudget({ ...ask, memlockBytes: Number.POSITIVE_INFINITY });
  refuseTooFew(wanted, undefined);
  const crew = await start(wanted);
  const strict = pageBudget({ ...ask, memlockBytes: crew.memlockBytes });
  if (strict.pages === wanted.pages) return { crew, budget: wanted };
  try {
    await crew.round({ kind: "secret", processes, pages: wanted.pages });
    return { crew, budget: wanted };
  } catch (error) {
    if (!(error instanceof BootstormError && error.code === "MEMLOCK_TOO_LOW")) throw error;
    refuseTooFew(strict, crew.memlockBytes);
    return { crew: await start(strict), budget: strict };
  }
}

function refuseTooFew(budget: PageBudget, memlockBytes: number | undefined): void {
  if (budget.boundBy === "asked" || budget.pages >= PAGES_MIN) return;
  if (budget.boundBy === "memlock") {
    throw memlockTooLow(`only ${budget.pages} pages a process fit`, memlockBytes);
  }
  throw new BootstormError("MEMORY_TOO_LOW", "too little memory for the pressure load", {
    why: `the asked share of the available memory is ${budget.pages} pages a process, at least ${PAGES_MIN} are needed`,
    remedies: ["allow a larger share of memory", "ask for fewer processes", "free some memory"],
    exit: EXIT.host,
  });
}
