import { Worker } from "node:worker_threads";
import type { Calibration, CalibrationInput } from "../../../core/sim/calibration.ts";
import type { Session } from "../run.ts";

export type CalibrateMessage =
  | { readonly said: "progress"; readonly share: number }
  | { readonly said: "done"; readonly calibration: Calibration };

/** Fits in a thread, with progress; an interrupt ends it at once. */
export function calibrateInThread(
  { signal, progress }: Session,
  input: CalibrationInput,
): Promise<Calibration> {
  signal.throwIfAborted();
  progress.step("fitting the model", 0);
  const worker = new Worker(new URL("worker.js", import.meta.url), { workerData: input });
  return new Promise((resolve, reject) => {
    const end = () => void worker.terminate();
    signal.addEventListener("abort", end, { once: true });
    worker.on("message", (message: CalibrateMessage) => {
      if (message.said === "progress") progress.step("fitting the model", message.share);
      else resolve(message.calibration);
    });
    worker.on("error", reject);
    worker.on("exit", () => {
      signal.removeEventListener("abort", end);
      if (signal.aborted) reject(signal.reason);
    });
  });
}
