import type { ProcessEntry, Trace } from "../event/schema.ts";
import { operationsOf } from "./aggregate.ts";
import type { StormResult } from "./result.ts";
import { runInParts } from "./run-in-parts.ts";
import type { StormSetup } from "./setup.ts";
import { Storm } from "./storm.ts";
import { stormLocks } from "./storm-path.ts";
import { stormTasks } from "./storm-tasks.ts";
import { WaitRecorder } from "./wait-recorder.ts";

export interface TracedStorm {
  readonly result: StormResult;
  readonly trace: Trace;
}

export interface TraceOptions {
  /** The trace ends when it has so many waits; `lost` counts those after it. */
  readonly rowsMax?: number;
  /** Hears now and then which share of the storm is done, 0..1. */
  readonly onProgress?: (done: number) => void;
}

/** 48 bytes each: a file of some 50 MB. */
const TRACE_ROWS_MAX = 1_000_000;

/**
 * Runs a storm to its end and keeps who waited for which lock, as a recording of a kernel would: a
 * VM is a process, a task is a thread, CPUs are the simulated ones, locks have addresses of our own.
 * Trace and statistics count the same waits, so that they agree to the nanosecond.
 */
export function traceStorm(
  setup: StormSetup,
  { rowsMax = TRACE_ROWS_MAX, onProgress = () => {} }: TraceOptions = {},
): TracedStorm {
  const waits = new WaitRecorder(stormLocks(setup.design));
  let endNs: number | undefined;
  let lost = 0;
  const storm = new Storm(setup, {
    onWait: (wait) => {
      if (waits.length < rowsMax) {
        waits.add(wait);
        return;
      }
      endNs ??= storm.nowNs;
      lost += 1;
    },
  });
  runInParts(storm, setup, operationsOf(setup), onProgress);
  const { processes, processOf } = processesOf(setup);
  const trace: Trace = {
    meta: {
      source: "sim",
      origin: { clock: "simulated", ns: 0n },
      spanNs: Math.max(1, endNs ?? storm.nowNs),
      cpuCount: setup.topology.cpus,
      sees: ["lockWait"],
      stacks: true,
      events: waits.length,
      lost,
      rejects: [],
    },
    processes,
    ...waits.tables(processOf),
  };
  return { result: storm.result(), trace };
}

/**
 * A VM with all its tasks is one process, and so is a guest of the background; processes have the
 * number of their first thread, which is that of its task and 1.
 */
function processesOf(setup: StormSetup): {
  readonly processes: readonly ProcessEntry[];
  /** By task. */
  readonly processOf: Int32Array;
} {
  const tasks = stormTasks(setup);
  const processes = setup.vms.map(({ name }, v): ProcessEntry => ({ pid: v + 1, name }));
  const processOf = tasks.vmOf.slice();
  const guests = new Map<number, number>();
  setup.background.forEach(({ name, vm }, i) => {
    const task = tasks.background + i;
    const process = guests.get(vm) ?? processes.push({ pid: task + 1, name }) - 1;
    if (vm >= 0) guests.set(vm, process);
    processOf[task] = process;
  });
  return { processes, processOf };
}
