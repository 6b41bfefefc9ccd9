// The sweep of processes, file sizes and delays, as `calibrate` and `investigate` run it.
import {
  type AlonePages,
  alonePages,
  type FreedPoint,
  freedPoints,
  type Slowdown,
  slowdownOf,
} from "../../../core/analyze/free-sweep.ts";
import type { PressureMeasurement, RecordingPass } from "../../../host/secretmem/measure.ts";
import { measureSweep } from "../../../host/secretmem/sweep.ts";
import { ANSWER_LIMIT_MS } from "../load/load.ts";
import type { Session } from "../run.ts";

export interface SweepOptions {
  readonly processCounts: readonly number[];
  readonly pagesPerFile: readonly number[];
  readonly delaysNs: readonly number[];
  readonly rounds: number;
  readonly warmups: number;
  readonly pagesPerProcess: number;
  /** 0..1, of the available memory. */
  readonly memoryShare: number;
  readonly seed: number;
}

export interface SweepRun {
  readonly points: readonly FreedPoint[];
  readonly alone: AlonePages;
  readonly slowdown: Slowdown;
  readonly measured: PressureMeasurement;
}

/** @throws BootstormError what `measureSweep` throws */
export async function runSweep(
  { signal, progress }: Session,
  options: SweepOptions,
  recordings: readonly RecordingPass[] = [],
): Promise<SweepRun> {
  const measured = await measureSweep({
    ...options,
    recordings,
    answerLimitMs: ANSWER_LIMIT_MS,
    signal,
    onProgress: (done, total) => progress.step("measuring what a page takes", done / total),
  });
  const points = freedPoints(measured.rounds);
  const alone = alonePages(measured.rounds);
  const slowdown = slowdownOf(measured.rounds, points, options.seed);
  return { points, alone, slowdown, measured };
}
