// Explores in a thread of its own, so that the command can show progress and be interrupted.
import { parentPort, workerData } from "node:worker_threads";
import { assert } from "../../../core/assert.ts";
import { checkDesign, DEFAULT_LIMITS, estimateSize } from "../../../core/check/check.ts";
import { removalTable } from "../../../core/check/removal.ts";
import { BootstormError } from "../../../core/error.ts";
import type { TimedVerdict } from "../../../core/report/check-report.ts";
import type { CheckJob, CheckMessage } from "./thread.ts";

const { questions, removals, memoryBytes, limitMs, stop, merge, symmetry } = workerData as CheckJob;
assert(parentPort !== null, "this file is the program of a thread");
const port = parentPort;
const say = (message: CheckMessage) => port.postMessage(message);
const stopped = new Int32Array(stop);
const startMs = performance.now();

const limits = {
  ...DEFAULT_LIMITS,
  memoryBytes,
  merge,
  symmetry,
  shouldStop: () => Atomics.load(stopped, 0) === 1 || performance.now() - startMs > limitMs,
};

/** From this many CPUs on an exploration may take longer than a person waits without a word. */
const ESTIMATE_FROM_CPUS = 6;

try {
  const verdicts: TimedVerdict[] = [];
  for (const question of questions) {
    if (question.cpus >= ESTIMATE_FROM_CPUS && questions.length === 1) {
      const estimate = estimateSize(question, limits);
      // A limit that is reached while estimating leaves nothing to tell.
      if (estimate.states > 1) say({ said: "estimate", estimate });
    }
    const what = `${question.design.name}, ${question.operations}`;
    const onProgress = (states: number, depth: number) =>
      say({ said: "progress", what, states, depth, done: verdicts.length / questions.length });
    const before = performance.now();
    const verdict = checkDesign(question, { ...limits, onProgress });
    verdicts.push({ verdict, elapsedMs: performance.now() - before });
    if (Atomics.load(stopped, 0) === 1) break;
  }
  const rows = removals
    ? removalTable(
        questions[0]!.design,
        questions.map((each) => each.operations),
        questions[0]!,
        limits,
      )
    : [];
  say({ said: "done", verdicts, removals: rows });
} catch (error) {
  if (!(error instanceof BootstormError)) throw error;
  const { code, message, why, remedies, exit } = error;
  say({ said: "failed", error: { code, message, why, remedies, exit } });
}
