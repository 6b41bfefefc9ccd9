import { availableParallelism } from "node:os";
import { Worker } from "node:worker_threads";
import type { StormRun } from "../../../core/analyze/storm-run.ts";
import type { CostsNs } from "../../../core/kernel/cost/cost-table.ts";
import type { Scenario } from "../../../core/scenario/scenario.ts";

/** Plain data: it travels by structured clone. */
export interface StormJob {
  readonly scenario: Scenario;
  /** Where its table is not one of ours. */
  readonly costs: CostsNs | undefined;
}

export type StormMessage =
  /** Of the storm that it works on, 0..1. */
  | { readonly said: "progress"; readonly done: number }
  | { readonly said: "done"; readonly run: StormRun };

/** Threads that simulate, one storm each at a time, in the order in which storms are asked for. */
export interface StormPool {
  /** @param onProgress  hears now and then which share of a long storm is done, 0..1 */
  simulate(scenario: Scenario, onProgress?: (done: number) => void): Promise<StormRun>;
  /** Ends the threads; storms that are not done are never answered. */
  end(): Promise<void>;
}

interface Asked {
  readonly job: StormJob;
  readonly onProgress: ((done: number) => void) | undefined;
  resolve(run: StormRun): void;
  reject(error: unknown): void;
}

/**
 * @param signal  ends the threads at once, and rejects what was asked with its reason
 * @param costsOf  the costs of a scenario whose table is not one of ours
 */
export function openStormPool(
  signal: AbortSignal,
  costsOf: (scenario: Scenario) => CostsNs | undefined,
): StormPool {
  const waiting: Asked[] = [];
  const working = new Map<Worker, Asked>();
  const idle: Worker[] = [];
  let failure: unknown;

  function next(): void {
    while (waiting.length > 0 && working.size < availableParallelism()) {
      const worker = idle.pop() ?? start();
      const asked = waiting.shift()!;
      working.set(worker, asked);
      worker.postMessage(asked.job);
    }
  }

  function start(): Worker {
    const worker = new Worker(new URL("worker.js", import.meta.url));
    worker.on("message", (message: StormMessage) => {
      const asked = working.get(worker);
      if (asked === undefined) return; // Said before the end, and heard after it.
      if (message.said === "progress") {
        asked.onProgress?.(message.done);
        return;
      }
      working.delete(worker);
      idle.push(worker);
      asked.resolve(message.run);
      next();
    });
    worker.on("error", fail);
    return worker;
  }

  function fail(error: unknown): void {
    failure ??= error;
    const lost = [...working.values(), ...waiting.splice(0)];
    void end();
    for (const asked of lost) asked.reject(failure);
  }

  async function end(): Promise<void> {
    signal.removeEventListener("abort", abort);
    const all = [...working.keys(), ...idle.splice(0)];
    working.clear();
    await Promise.all(all.map((worker) => worker.terminate()));
  }

  const abort = () => fail(signal.reason);
  signal.addEventListener("abort", abort, { once: true });
  return {
    simulate: (scenario, onProgress) =>
      new Promise((resolve, reject) => {
        if (failure !== undefined) return reject(failure);
        waiting.push({ job: { scenario, costs: costsOf(scenario) }, onProgress, resolve, reject });
        next();
      }),
    end,
  };
}
