import { type EventTable, LOCK_FLAG, type ProcessEntry, type Trace } from "../event/schema.ts";
import { stackBuilder } from "../event/stack-builder.ts";
import { stringTable } from "../event/strings.ts";
import { operationsOf } from "./aggregate.ts";
import { PSP_QUEUE, type StormResult } from "./result.ts";
import { runInParts } from "./run-in-parts.ts";
import type { StormSetup, WaitSeen } from "./setup.ts";
import { Storm } from "./storm.ts";
import { type StormLock, stormLocks } from "./storm-path.ts";
import { type StormTasks, stormTasks } from "./storm-tasks.ts";

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
  const rows = new WaitRows(rowsMax);
  const names = new NameTables(stormLocks(setup.design));
  let fullAtNs: number | undefined;
  let lost = 0;
  const storm = new Storm(setup, {
    onWait: (wait) => {
      if (rows.isFull) {
        fullAtNs ??= storm.nowNs;
        lost += 1;
      } else rows.add(wait, names);
    },
  });
  runInParts(storm, setup, operationsOf(setup), onProgress);
  const { processes, processOf } = processesOf(setup, stormTasks(setup));
  const trace: Trace = {
    meta: {
      source: "sim",
      origin: { clock: "simulated", ns: 0n },
      spanNs: Math.max(1, fullAtNs ?? storm.nowNs),
      cpuCount: setup.topology.cpus,
      sees: ["lockWait"],
      stacks: true,
      events: rows.length,
      lost,
      rejects: [],
    },
    ...names.tables(),
    processes,
    tables: { lockWait: rows.table(processOf) },
  };
  return { result: storm.result(), trace };
}

/** What the rows refer to by number. */
class NameTables {
  readonly #locks: readonly StormLock[];
  readonly #strings = stringTable();
  readonly #stacks = stackBuilder();
  /** By the array itself: a program gives the same one each time. */
  readonly #stackOf = new Map<readonly string[], number>();
  readonly #lockOf = new Map<number, number>();
  readonly #addresses: bigint[] = [];
  readonly #symbols: number[] = [];

  constructor(locks: readonly StormLock[]) {
    this.#locks = locks;
  }

  stack(stack: readonly string[]): number {
    if (stack.length === 0) return -1;
    let known = this.#stackOf.get(stack);
    if (known === undefined) {
      const frames = stack.map((name) => this.#strings.intern(name));
      known = this.#stacks.intern(frames, frames.length);
      this.#stackOf.set(stack, known);
    }
    return known;
  }

  /** Locks are a cache line each, one after the other from the second on. */
  lock({ lock, instance }: WaitSeen): number {
    let known = this.#lockOf.get(instance);
    if (known === undefined) {
      known = this.#addresses.push(64n * BigInt(instance + 1)) - 1;
      this.#symbols.push(this.#strings.intern(this.#locks[lock]?.name ?? PSP_QUEUE));
      this.#lockOf.set(instance, known);
    }
    return known;
  }

  flags({ lock, shared }: WaitSeen): number {
    const kind = this.#locks[lock]?.kind ?? "mutex";
    const side = shared ? LOCK_FLAG.read : LOCK_FLAG.write;
    switch (kind) {
      case "spinlock":
        return LOCK_FLAG.spin;
      case "rwlock":
        return LOCK_FLAG.spin | side;
      case "rwsem":
        return side;
      case "mutex":
        return LOCK_FLAG.mutex;
    }
  }

  tables(): Pick<Trace, "strings" | "stacks" | "locks"> {
    return {
      strings: this.#strings.list,
      stacks: this.#stacks.build(),
      locks: {
        addresses: BigUint64Array.from(this.#addresses),
        symbols: Int32Array.from(this.#symbols),
      },
    };
  }
}

/** The columns of the trace, in the order of grants. */
class WaitRows {
  length = 0;
  readonly #rowsMax: number;
  #t = new Float64Array(1024);
  #waitNs = new Float64Array(1024);
  /** cpu, task, lock, stack, flags of each row. */
  #numbers = new Int32Array(1024 * 5);

  constructor(rowsMax: number) {
    this.#rowsMax = rowsMax;
  }

  get isFull(): boolean {
    return this.length >= this.#rowsMax;
  }

  add(wait: WaitSeen, names: NameTables): void {
    if (this.length === this.#t.length) this.#grow();
    this.#t[this.length] = wait.requestNs;
    this.#waitNs[this.length] = wait.waitNs;
    const at = this.length * 5;
    this.#numbers[at] = wait.cpu;
    this.#numbers[at + 1] = wait.task;
    this.#numbers[at + 2] = names.lock(wait);
    this.#numbers[at + 3] = names.stack(wait.stack);
    this.#numbers[at + 4] = names.flags(wait);
    this.length += 1;
  }

  /** In the order in which they began. */
  table(processOf: Int32Array): EventTable<"lockWait"> {
    const { length } = this;
    const order = Uint32Array.from({ length }, (_, i) => i).sort(
      (a, b) => this.#t[a]! - this.#t[b]! || a - b,
    );
    const ids = (value: (at: number) => number) => Int32Array.from(order, (i) => value(i * 5));
    return {
      length,
      t: Float64Array.from(order, (i) => this.#t[i]!),
      waitNs: Float64Array.from(order, (i) => this.#waitNs[i]!),
      observerNs: new Float64Array(length),
      cpu: ids((at) => this.#numbers[at]!),
      tid: ids((at) => this.#numbers[at + 1]! + 1),
      process: ids((at) => processOf[this.#numbers[at + 1]!]!),
      lock: ids((at) => this.#numbers[at + 2]!),
      stack: ids((at) => this.#numbers[at + 3]!),
      flags: Uint32Array.from(order, (i) => this.#numbers[i * 5 + 4]!),
    };
  }

  #grow(): void {
    const wider = <T extends Float64Array | Int32Array>(old: T, column: T): T => {
      column.set(old);
      return column;
    };
    this.#t = wider(this.#t, new Float64Array(this.length * 2));
    this.#waitNs = wider(this.#waitNs, new Float64Array(this.length * 2));
    this.#numbers = wider(this.#numbers, new Int32Array(this.length * 10));
  }
}

/** A VM with all its tasks is one process, numbered as its first thread is; so is a guest of the background. */
function processesOf(
  { vms, background }: StormSetup,
  { count, vmOf, background: first }: StormTasks,
): { readonly processes: readonly ProcessEntry[]; readonly processOf: Int32Array } {
  const processes = vms.map(({ name }, v): ProcessEntry => ({ pid: v + 1, name }));
  const processOf = new Int32Array(count);
  const guests = new Map<number, number>();
  for (let task = 0; task < first; task += 1) processOf[task] = vmOf[task]!;
  background.forEach(({ name, vm }, i) => {
    const known = vm < 0 ? undefined : guests.get(vm);
    const process = known ?? processes.push({ pid: first + i + 1, name }) - 1;
    if (vm >= 0) guests.set(vm, process);
    processOf[first + i] = process;
  });
  return { processes, processOf };
}
