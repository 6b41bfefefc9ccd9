// Runs storms in a thread of its own, one after the other.
import { parentPort } from "node:worker_threads";
import { assert } from "../../../core/assert.ts";
import { resolve, simulate } from "../../../core/sim/simulate.ts";
import type { StormJob, StormMessage } from "./pool.ts";
import { stormRunOf } from "./storm.ts";

assert(parentPort !== null, "this file is the program of a thread");
const port = parentPort;
const say = (message: StormMessage) => port.postMessage(message);
port.on("message", ({ scenario, costs }: StormJob) => {
  const resolved = resolve(scenario, costs === undefined ? {} : { costs });
  const result = simulate(scenario, resolved, (done) => say({ said: "progress", done }));
  say({ said: "done", run: stormRunOf(result) });
});
