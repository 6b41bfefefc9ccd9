import { assert } from "../../src/core/assert.ts";
import { type CostsNs, costKeyOf } from "../../src/core/kernel/cost/cost-table.ts";
import type { Design } from "../../src/core/kernel/design.ts";
import { BLOCKED, Machine } from "../../src/core/kernel/machine.ts";
import { labelOf, type Operation, type Path } from "../../src/core/kernel/operation.ts";
import type { Request } from "../../src/core/kernel/request.ts";
import { Calendar } from "../../src/core/sim/calendar.ts";
import { type StormLock, sleeps, stormLocks, stormPath } from "../../src/core/sim/storm-path.ts";
import { distanceOf, lineNs, type Topology } from "../../src/core/sim/topology.ts";

/**
 * The finest grain: live generators of the kernel model on the kernel model's own machine, one
 * operation an event. Nothing is derived, summed or assumed: every answer comes from the machine,
 * and a step that the machine would not allow is a bug. Slow, at most 16 CPUs, no overcommit: it is
 * what the storm's programs are held against.
 */
export interface InstructionRun {
  readonly design: Design;
  readonly costs: CostsNs;
  readonly topology: Topology;
  readonly flushNs: number;
  readonly start: "1g" | "2m" | "4k";
  readonly regions: number;
  readonly scripts: readonly Script[];
}

/** One task, alone on its CPU, in the order of their start. It works on a page of its own. */
export interface Script {
  readonly cpu: number;
  readonly startNs: number;
  readonly requests: readonly Request[];
  /** Before each request. */
  readonly leadNs: number;
}

export interface Acquisition {
  readonly lock: string;
  readonly task: number;
  readonly requestNs: number;
  readonly grantNs: number;
}

export interface InstructionResult {
  readonly endNs: readonly number[];
  /** In the order they were granted. */
  readonly acquisitions: readonly Acquisition[];
  /** Laws that the machine saw broken, as bits. */
  readonly broken: number;
  readonly steps: number;
}

export function runInstructions(run: InstructionRun): InstructionResult {
  return new Instructions(run).run();
}

interface Waiter {
  readonly task: number;
  readonly shared: boolean;
  readonly requestNs: number;
}

/** One lock, or one 2 MiB's. */
interface LockState {
  readonly lock: StormLock;
  exclusive: boolean;
  readers: number;
  lastCpu: number;
  readonly queue: Waiter[];
}

class Instructions {
  readonly #run: InstructionRun;
  readonly #machine: Machine;
  readonly #state: Uint8Array;
  readonly #calendar: Calendar;
  readonly #line: Float64Array;
  readonly #locks: readonly LockState[][];
  readonly #paths: (Path | undefined)[];
  readonly #done: number[];
  /** What the task does at its next event. */
  readonly #pending: (Operation | undefined)[];
  readonly #granted: boolean[];
  readonly #end: number[];
  #awaiting: number[] = [];
  readonly #acquisitions: Acquisition[] = [];
  #broken = 0;
  #steps = 0;

  constructor(run: InstructionRun) {
    this.#run = run;
    const cpus = run.scripts.length;
    this.#machine = new Machine({
      design: run.design,
      cpus,
      regions: run.regions,
      pages: cpus,
      start: run.design.preSplit ? "4k" : run.start,
      tracksTables: false,
      rmp: "hypervisor",
      flush: "broadcast",
      storeBuffer: 0,
    });
    this.#state = new Uint8Array(this.#machine.bytes);
    this.#machine.initial(this.#state);
    this.#calendar = new Calendar(cpus);
    this.#line = lineNs(run.costs);
    this.#locks = stormLocks(run.design).map((lock) =>
      Array.from({ length: lock.scope === "pmd" ? run.regions : 1 }, () => ({
        lock,
        exclusive: false,
        readers: 0,
        lastCpu: -1,
        queue: [],
      })),
    );
    this.#paths = run.scripts.map(() => undefined);
    this.#done = run.scripts.map(() => 0);
    this.#pending = run.scripts.map(() => undefined);
    this.#granted = run.scripts.map(() => false);
    this.#end = run.scripts.map(() => 0);
    run.scripts.forEach((script, task) => {
      this.#calendar.schedule(task, script.startNs);
    });
  }

  run(): InstructionResult {
    for (let task = this.#calendar.pop(); task >= 0; task = this.#calendar.pop()) {
      this.#go(task);
    }
    assert(this.#awaiting.length === 0, "nobody waits for ever");
    return {
      endNs: this.#end,
      acquisitions: this.#acquisitions,
      broken: this.#broken,
      steps: this.#steps,
    };
  }

  /** → how long it is until the first operation, or WAITS when there are no more requests. */
  #nextRequest(task: number): number {
    const { requests, leadNs } = this.#run.scripts[task]!;
    const request = requests[this.#done[task]!];
    if (request === undefined) {
      this.#end[task] = this.#calendar.now;
      return WAITS;
    }
    const { design, start } = this.#run;
    const path = stormPath(design, start === "1g" && !design.preSplit, request);
    this.#paths[task] = path;
    const first = path.next(0);
    assert(!first.done, "a request is at least one operation");
    this.#pending[task] = first.value;
    return leadNs;
  }

  /** Operations happen until one takes time, or has to wait. */
  #go(task: number): void {
    for (;;) {
      const operation = this.#pending[task];
      const ns = operation === undefined ? this.#nextRequest(task) : this.#execute(task, operation);
      if (ns === WAITS) return;
      if (ns > 0) {
        this.#calendar.schedule(task, this.#calendar.now + ns);
        return;
      }
    }
  }

  /** The operation happens now → how long it takes, or WAITS. */
  #execute(task: number, operation: Operation): number {
    if (operation.op === "lock" && !this.#granted[task]) {
      return this.#request(task, operation.lock, operation.shared);
    }
    this.#granted[task] = false;
    const result = this.#apply(task, operation);
    if (result === BLOCKED) {
      assert(operation.op === "awaitUnmarked", `the kernel model allows ${labelOf(operation)}`);
      this.#awaiting.push(task);
      return WAITS;
    }
    if (operation.op === "unlock") this.#release(task, operation.lock, operation.shared);
    if (operation.op === "clearMark") this.#wakeAwaiting();
    const step = this.#paths[task]!.next(result);
    this.#pending[task] = step.done ? undefined : step.value;
    if (step.done) this.#done[task]! += 1;
    return this.#costOf(operation);
  }

  #costOf(operation: Operation): number {
    if (operation.op === "flush") return this.#run.flushNs;
    const key = costKeyOf(operation);
    return key === undefined ? 0 : this.#run.costs[key];
  }

  #apply(task: number, operation: Operation): number {
    this.#steps += 1;
    const ofLock = operation.op === "lock" || operation.op === "unlock";
    if (ofLock && this.#run.design.locks[operation.lock] === undefined) return 0;
    const { kind, a, b, c } = this.#machine.compile(operation);
    const result = this.#machine.apply(this.#state, task, kind, a, b, c);
    this.#broken |= this.#machine.broken;
    return result;
  }

  #wakeAwaiting(): void {
    const all = this.#awaiting;
    this.#awaiting = [];
    for (const task of all) this.#calendar.schedule(task, this.#calendar.now);
  }

  #stateOf(task: number, name: string): LockState {
    const instances = this.#locks.find(([first]) => first!.lock.name === name)!;
    return instances[instances.length > 1 ? task % this.#run.regions : 0]!;
  }

  #request(task: number, name: string, shared: boolean): number {
    const state = this.#stateOf(task, name);
    const waiter = { task, shared, requestNs: this.#calendar.now };
    if (state.queue.length === 0 && mayEnter(state, shared))
      return this.#grant(state, waiter, false);
    state.queue.push(waiter);
    return WAITS;
  }

  #release(task: number, name: string, shared: boolean): void {
    const state = this.#stateOf(task, name);
    if (shared) state.readers -= 1;
    else state.exclusive = false;
    while (state.queue.length > 0 && mayEnter(state, state.queue[0]!.shared)) {
      const next = state.queue.shift()!;
      this.#calendar.schedule(next.task, this.#calendar.now + this.#grant(state, next, true));
    }
  }

  /** → how long the lock takes to arrive. */
  #grant(state: LockState, { task, shared, requestNs }: Waiter, queued: boolean): number {
    const now = this.#calendar.now;
    const { costs, topology, scripts } = this.#run;
    if (shared) state.readers += 1;
    else state.exclusive = true;
    const asleep = queued && sleeps(state.lock);
    let cost = 0;
    if (!asleep) {
      const { cpu } = scripts[task]!;
      const transfers = now > requestNs ? 2 : 1;
      if (state.lastCpu >= 0) {
        cost = transfers * this.#line[distanceOf(topology, state.lastCpu, cpu)]!;
      }
      state.lastCpu = cpu;
    }
    this.#acquisitions.push({ lock: state.lock.name, task, requestNs, grantNs: now + cost });
    this.#granted[task] = true;
    return asleep ? costs.wakeUp : cost;
  }
}

/** The task goes on when somebody lets it. */
const WAITS = -1;

function mayEnter(state: LockState, shared: boolean): boolean {
  return !state.exclusive && (shared || state.readers === 0);
}
