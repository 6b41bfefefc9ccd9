// The calibrated prediction of `investigate`: a short sweep, a fit that does not see the point of
// interest, and what it says of it.
import { cpus } from "node:os";
import { inDoubt } from "../../../core/analyze/calibration-result.ts";
import type { Missing } from "../../../core/analyze/investigate.ts";
import {
  type PredictionOutcome,
  predictionOf,
  setApart,
} from "../../../core/analyze/prediction.ts";
import { BootstormError } from "../../../core/error.ts";
import { predictNsPerPage } from "../../../core/sim/calibration.ts";
import type { LoadOptions, LoadRun } from "../load/load.ts";
import type { Session } from "../run.ts";
import { runSweep } from "./sweep.ts";
import { calibrateInThread } from "./thread.ts";

/** A few seconds' worth. */
const ROUNDS_MAX = 10;
const BOOTSTRAPS = 100;

/** @param load  what became of the load: where it cannot run, neither can the sweep */
export async function predict(
  session: Session,
  { processCounts, rounds, warmups, pagesPerProcess, memoryShare, seed }: LoadOptions,
  load: LoadRun | Missing,
): Promise<PredictionOutcome> {
  if ("why" in load) return { why: `the load was not run (${load.why})` };
  if (processCounts.length < 2) {
    const why =
      cpus().length === 1
        ? "this host has one CPU, and one process alone never waits for a lock"
        : "only one number of processes was asked for, which shows lock and other work as one";
    return { why };
  }
  try {
    const { points, alone, slowdown } = await runSweep(session, {
      processCounts,
      pagesPerFile: [4, 64],
      delaysNs: [0, 400, 1200, 4000],
      rounds: Math.min(rounds, ROUNDS_MAX),
      warmups: Math.min(warmups, 2),
      pagesPerProcess,
      memoryShare,
      seed,
    });
    const fit = await calibrateInThread(session, {
      cpus: cpus().length,
      free: setApart(points).seen,
      onePage: alone,
      seed,
      bootstraps: BOOTSTRAPS,
    });
    return predictionOf(points, inDoubt(fit, slowdown), (point) =>
      predictNsPerPage(fit, point, seed),
    );
  } catch (error) {
    session.signal.throwIfAborted();
    if (!(error instanceof BootstormError)) throw error;
    return { why: error.why };
  }
}
