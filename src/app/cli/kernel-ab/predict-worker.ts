// Asks the model in a thread of its own, so that the command can be interrupted.
import { parentPort, workerData } from "node:worker_threads";
import { assert } from "../../../core/assert.ts";
import { predictGuestLoad } from "../../../core/sim/guest-load/predict.ts";
import type { PredictionInput } from "../../../core/sim/guest-load/prediction.ts";

assert(parentPort !== null, "this file is the program of a thread");
parentPort.postMessage(predictGuestLoad(workerData as PredictionInput));
