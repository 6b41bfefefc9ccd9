// Runs storms in a thread of its own, one after the other.
import { parentPort } from "node:worker_threads";
import { assert } from "../../core/assert.ts";
import { resolve, simulate } from "../../core/sim/simulate.ts";
import type { StormJob } from "./simulate-pool.ts";
import { stormRunOf } from "./simulate-storm.ts";

assert(parentPort !== null, "this file is the program of a thread");
const port = parentPort;
port.on("message", ({ scenario, costs }: StormJob) => {
  const resolved = resolve(scenario, costs === undefined ? {} : { costs });
  port.postMessage(stormRunOf(simulate(scenario, resolved)));
});
