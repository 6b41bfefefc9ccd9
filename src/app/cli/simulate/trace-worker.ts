// Simulates and records in a thread of its own, so that the command can be interrupted.
import { parentPort, workerData } from "node:worker_threads";
import { assert } from "../../../core/assert.ts";
import { writeTrace } from "../../../core/event/codec.ts";
import { stormOf } from "../../../core/sim/from-scenario.ts";
import { resolve } from "../../../core/sim/simulate.ts";
import { traceStorm } from "../../../core/sim/storm-trace.ts";
import type { TraceJob, TraceMessage } from "./trace.ts";

assert(parentPort !== null, "this file is the program of a thread");
const port = parentPort;
const say = (message: TraceMessage, moved: ArrayBuffer[] = []) => port.postMessage(message, moved);
const { scenario, costs } = workerData as TraceJob;
const setup = stormOf(scenario, resolve(scenario, costs === undefined ? {} : { costs }));
const { result, trace } = traceStorm(setup, {
  onProgress: (done) => say({ said: "progress", done }),
});
const { spanNs, events, lost } = trace.meta;
const { seed, grain, makespanNs } = result;
const bytes = writeTrace(trace);
const summary = { seed, grain, makespanNs, spanNs, waits: events, lost };
say({ said: "done", bytes, summary }, [bytes.buffer]);
