// The short storm of `investigate`: one VM, and twice as many as there are CPUs.
import { availableParallelism } from "node:os";
import type { BootsResult } from "../../../core/analyze/boots-result.ts";
import type { Missing } from "../../../core/analyze/investigate.ts";
import { BootstormError } from "../../../core/error.ts";
import { readMemAvailable } from "../../../host/probe/round-load.ts";
import { createRunFolder, type RunFolder } from "../../../host/store/run-folder.ts";
import { whyNoRecording } from "../load/load.ts";
import { missingOf } from "../missing.ts";
import type { Session } from "../run.ts";
import { scenarioWith } from "../simulate/scenario.ts";
import { resultOf } from "./answer.ts";
import { roomFor } from "./capacity.ts";
import { endLeftovers } from "./leftovers.ts";
import { prepareMachine, type StormMachine } from "./machine.ts";
import { NO_LIMIT } from "./plan.ts";
import { runStorm, type StormCourse, type StormOptions } from "./run.ts";
import { RUN_FILE, readRun, runFileText } from "./run-file.ts";
import { NOT_ASKED, runNotes } from "./words.ts";

/** The folder of its run, in that of the job. */
export const STORM_FOLDER = "storm";

const SCENARIO = "tiny";
/** What nobody asked for by name does not fill a large host. */
const VMS_MOST = 64;
const BUDGET_MS = 40_000;
/** Of a VM that has a CPU of its own. */
const READY_TIMEOUT_S = 20;

export interface ShortStorm {
  readonly result: BootsResult;
  /** Asks for the same storm again. */
  readonly command: string;
}

/**
 * Boots real VMs for about 40 s, where that is possible.
 * @param job  gets a folder with the run, which `storm --from` reads
 * @returns what was missing, where nothing could be booted
 * @throws the signal's reason when it aborted
 */
export async function shortStorm(
  session: Session,
  { record, seed }: { readonly record: boolean; readonly seed: number },
  job: RunFolder,
): Promise<ShortStorm | Missing> {
  try {
    await endLeftovers(session);
    const { scenario } = await scenarioWith(SCENARIO, []);
    const machine = await prepareMachine(session, scenario.guests);
    const most = mostVms(machine);
    if (most === 0) return { what: WHAT, why: "one VM is more than the memory that is available" };
    const notRecorded = record ? whyNoRecording() : NOT_ASKED;
    // No warm-up: the median of three rounds does not mind one that is slow.
    const options: StormOptions = {
      vms: [...new Set([1, most])],
      limits: [NO_LIMIT],
      kinds: [machine.confidential ? "confidential" : "plain"],
      pressures: [0],
      repetitions: 3,
      warmUps: 0,
      witness: notRecorded === undefined,
      seed,
      arrivals: { kind: "together" },
      afterReady: "end",
    };
    const course: StormCourse = {
      machine: { ...machine, readyTimeoutS: READY_TIMEOUT_S },
      options,
      folder: await createRunFolder(await job.makeFolder(STORM_FOLDER)),
      notRecorded,
      budgetMs: BUDGET_MS,
    };
    const notes = runNotes(SCENARIO, scenario, { record }, course);
    await course.folder.write(RUN_FILE, runFileText(notes));
    await runStorm(session, course);
    return {
      result: resultOf(await readRun(course.folder.path)),
      command: notes.reproduce.join(),
    };
  } catch (error) {
    session.signal.throwIfAborted();
    if (!(error instanceof BootstormError)) throw error;
    return missingOf(WHAT, error);
  }
}

const WHAT = "boots of real VMs";

export const NO_STORM: Missing = { what: WHAT, why: "--no-storm was given" };

function mostVms({ demandOf }: StormMachine): number {
  const cpus = availableParallelism();
  const host = { cpus, memAvailableBytes: readMemAvailable() };
  return roomFor(demandOf(Math.min(2 * cpus, VMS_MOST)), host);
}
