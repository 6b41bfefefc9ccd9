// The pressure load as `pressure` and `investigate` run it: measured without a recorder, then
// recorded, then analysed.

import type { Missing } from "../../../core/analyze/investigate.ts";
import { lockShares } from "../../../core/analyze/lock-shares.ts";
import { lockWaits } from "../../../core/analyze/lock-wait.ts";
import {
  directMapIsLarge,
  pressurePhases,
  pressureScaling,
  recordedThroughput,
} from "../../../core/analyze/pressure.ts";
import type { PressureResult, Reject } from "../../../core/analyze/result.ts";
import { BootstormError, EXIT } from "../../../core/error.ts";
import type { Trace } from "../../../core/event/schema.ts";
import type { SpinlockVisibility } from "../../../core/facts/spinlock-visibility.ts";
import { formatBytes } from "../../../core/units.ts";
import { readDirectMapCounters } from "../../../host/secretmem/counters.ts";
import { measurePressure } from "../../../host/secretmem/measure.ts";
import { askYesNo } from "../ask.ts";
import { missingOf } from "../missing.ts";
import { openRecording, recordedTwice } from "../recording/record.ts";
import { visibilityOf } from "../recording/visibility.ts";
import type { Session } from "../run.ts";

export interface LoadOptions {
  readonly processCounts: readonly number[];
  readonly rounds: number;
  readonly warmups: number;
  readonly pagesPerProcess: number;
  readonly memoryShare: number;
  readonly seed: number;
  /** Do not ask before large direct-map entries may be split. */
  readonly yes: boolean;
  readonly record: boolean;
}

export interface LoadRun {
  readonly pressure: PressureResult;
  /** Absent when `notRecorded` says why. */
  readonly recording?: LoadRecording;
  readonly notRecorded?: Missing;
  readonly rejects: readonly Reject[];
}

/** Lock waits of the whole machine during recorded rounds. */
export interface LoadRecording {
  /** Without call stacks: true times. */
  readonly timed: Trace;
  /** With call stacks: names and callers. */
  readonly witness: Trace;
  /** Which waits for spinlocks could be seen at all. */
  readonly visibility: SpinlockVisibility;
}

/** A worker that does not answer within this time hangs. A round takes milliseconds. */
export const ANSWER_LIMIT_MS = 60_000;
/** Recorded rounds of each kind: enough for shares, few enough that the newcomer need not wait. */
const RECORDED_ROUNDS_MAX = 15;

/**
 * Runs the load. A host that does not let us record gives the curve without the locks.
 * @throws BootstormError what `measurePressure` throws; NOT_AGREED when the person says no
 */
export async function runLoad(session: Session, options: LoadOptions): Promise<LoadRun> {
  await agreeToSplits(session, options);
  const notRecorded = options.record ? whyNoRecording() : NOT_ASKED;
  const { passes, traces } = recordedTwice(Math.min(options.rounds, RECORDED_ROUNDS_MAX));
  const { processCounts, rounds, warmups, pagesPerProcess, memoryShare, seed } = options;
  const measured = await measurePressure({
    processCounts,
    rounds,
    warmups,
    pagesPerProcess,
    memoryShare,
    seed,
    answerLimitMs: ANSWER_LIMIT_MS,
    signal: session.signal,
    onProgress: (done, total) => session.progress.step("changing the direct map", done / total),
    recordings: notRecorded === undefined ? passes : [],
  });
  const [timed, witness] = traces.map((trace, i) => ({ trace, rounds: measured.recorded[i]! }));
  const pressure: PressureResult = {
    phases: pressurePhases(measured.rounds),
    scaling: pressureScaling(measured.rounds, seed),
    seed,
    pagesPerProcess: measured.budget.pages,
    rounds,
    directMap: measured.directMap,
    ...(timed === undefined || witness === undefined
      ? {}
      : {
          contention: lockWaits(timed.trace, { by: "caller", witness: witness.trace }),
          lockShares: lockShares(timed, witness),
          recordedThroughput: recordedThroughput(timed.rounds, measured.rounds, seed),
        }),
  };
  return {
    pressure,
    rejects: measured.rejects,
    ...(witness === undefined
      ? {}
      : {
          recording: {
            timed: timed!.trace,
            witness: witness.trace,
            visibility: await visibilityOf(witness.trace, session.signal),
          },
        }),
    ...(notRecorded === undefined ? {} : { notRecorded }),
  };
}

/** Opens a recording and closes it: better to know before the load than after it. */
export function whyNoRecording(): Missing | undefined {
  try {
    openRecording({}).close();
    return undefined;
  } catch (error) {
    if (!(error instanceof BootstormError)) throw error;
    return missingOf("lock waits", error);
  }
}

const NOT_ASKED: Missing = { what: "lock waits", why: "--no-record was given" };

/**
 * Split entries stay split until reboot, so a person decides.
 * @throws BootstormError NOT_AGREED
 */
export async function agreeToSplits(
  { progress, signal }: Session,
  { yes }: Pick<LoadOptions, "yes">,
): Promise<void> {
  const counters = readDirectMapCounters();
  if (!directMapIsLarge(counters)) return;
  const large = formatBytes((counters.map2mBytes ?? 0) + (counters.map1gBytes ?? 0));
  const notice = `This host maps ${large} of its memory with large pages. The load may split some of them into 4 KiB pages, which stay split until reboot and cost a little speed.`;
  progress.clear();
  if (yes) return progress.note(notice);
  const answer = await askYesNo(`${notice}\nGo on?`, signal);
  if (answer === "yes") return;
  throw new BootstormError("NOT_AGREED", "the load was not run", {
    why:
      answer === "no"
        ? "you said no"
        : "it may split large pages of the direct map until reboot, and there is no terminal to ask",
    remedies: ["add --yes"],
    exit: EXIT.host,
  });
}
