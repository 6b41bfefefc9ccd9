import { Worker } from "node:worker_threads";
import type { Estimate } from "../../../core/check/check.ts";
import type { Question } from "../../../core/check/question.ts";
import type { RemovalRow } from "../../../core/check/removal.ts";
import { BootstormError, EXIT, type ExitStatus } from "../../../core/error.ts";
import type { TimedVerdict } from "../../../core/report/check-report.ts";
import { formatBytes, formatCount } from "../../../core/units.ts";
import type { Session } from "../run.ts";

/** What the thread is to do. Plain data: it travels by structured clone. */
export interface CheckJob {
  readonly questions: readonly Question[];
  /** Also take each lock and flush away from the first question's design. */
  readonly removals: boolean;
  readonly memoryBytes: number;
  readonly limitMs: number;
  readonly merge: boolean;
  readonly symmetry: boolean;
  /** One 32-bit cell; 1 asks the thread to stop. */
  readonly stop: SharedArrayBuffer;
}

export type CheckMessage =
  | {
      readonly said: "progress";
      readonly what: string;
      readonly states: number;
      readonly depth: number;
      readonly done: number;
    }
  | { readonly said: "estimate"; readonly estimate: Estimate }
  | {
      readonly said: "done";
      readonly verdicts: readonly TimedVerdict[];
      readonly removals: readonly RemovalRow[];
    }
  | {
      readonly said: "failed";
      readonly error: {
        code: string;
        message: string;
        why: string;
        remedies: readonly string[];
        exit: ExitStatus;
      };
    };

/** The thread's own needs beside the states: code, tables, the garbage of one question. */
const HEAP_MIB_BESIDE = 256;

/**
 * Answers questions in a thread, with progress; an interrupt ends it at once.
 * @throws BootstormError what the checker throws; CHECK_OUT_OF_MEMORY
 */
export function checkInThread(
  { signal, progress }: Session,
  job: Omit<CheckJob, "stop">,
): Promise<Extract<CheckMessage, { said: "done" }>> {
  const stop = new SharedArrayBuffer(4);
  const worker = new Worker(new URL("worker.js", import.meta.url), {
    workerData: { ...job, stop } satisfies CheckJob,
    resourceLimits: {
      maxOldGenerationSizeMb: Math.ceil(job.memoryBytes / 2 ** 20) + HEAP_MIB_BESIDE,
    },
  });
  return new Promise((resolve, reject) => {
    const end = () => void worker.terminate();
    signal.addEventListener("abort", end, { once: true });
    worker.on("message", (message: CheckMessage) => {
      if (message.said === "progress") {
        const { what, states, depth, done } = message;
        progress.step(`${what}: ${formatCount(states)} states, depth ${depth}`, done);
      } else if (message.said === "estimate") {
        const { states, bytes } = message.estimate;
        progress.note(`expected: about ${formatCount(states)} states, ${formatBytes(bytes)}`);
      } else if (message.said === "done") {
        resolve(message);
      } else {
        const { code, message: what, ...details } = message.error;
        reject(new BootstormError(code, what, details));
      }
    });
    worker.on("error", (error: NodeJS.ErrnoException) =>
      reject(error.code === "ERR_WORKER_OUT_OF_MEMORY" ? outOfMemory() : error),
    );
    worker.on("exit", () => {
      signal.removeEventListener("abort", end);
      if (signal.aborted) reject(signal.reason);
    });
  });
}

function outOfMemory(): BootstormError {
  return new BootstormError("CHECK_OUT_OF_MEMORY", "the exploration was given up", {
    why: "it needs more memory than --memory allows",
    remedies: ["a larger --memory", "fewer CPUs, pages or operations"],
    exit: EXIT.host,
  });
}
