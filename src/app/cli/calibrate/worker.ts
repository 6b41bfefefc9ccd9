// Fits in a thread of its own, so that the command can show progress and be interrupted.
import { parentPort, workerData } from "node:worker_threads";
import { assert } from "../../../core/assert.ts";
import { type CalibrationInput, calibrate } from "../../../core/sim/calibration.ts";
import type { CalibrateMessage } from "./thread.ts";

assert(parentPort !== null, "this file is the program of a thread");
const port = parentPort;
const say = (message: CalibrateMessage) => port.postMessage(message);
const onProgress = (share: number) => say({ said: "progress", share });
say({ said: "done", calibration: calibrate(workerData as CalibrationInput, onProgress) });
