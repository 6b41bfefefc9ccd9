import { operationsOf } from "./aggregate.ts";
import type { StormSetup } from "./setup.ts";
import type { Storm } from "./storm.ts";

const PARTS = 50;

/**
 * Runs a storm to its end, a part of its page operations at a time.
 * @param operations  of all its tasks, about; the background's too
 * @param onProgress  hears after each part which share of the VMs' operations is done, 0..1
 */
export function runInParts(
  storm: Storm,
  setup: StormSetup,
  operations: number,
  onProgress: (done: number) => void,
): void {
  const part = Math.max(1, Math.ceil(operations / PARTS));
  const tasks = setup.vms.reduce((sum, vm) => sum + vm.tasks, 0);
  const all = operationsOf(setup);
  while (!storm.isOver) {
    storm.run(storm.operations + part);
    const done = storm.operationsByTask().subarray(0, tasks);
    if (all > 0) onProgress(done.reduce((a, b) => a + b, 0) / all);
  }
}
