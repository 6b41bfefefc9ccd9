import { assert } from "../assert.ts";
import { Admission, EVENTS_OF_ADMISSION } from "./admission.ts";
import { Calendar } from "./calendar.ts";
import { Cpus } from "./cpus.ts";
import { DirectMap } from "./direct-map.ts";
import { Draws } from "./draws.ts";
import { FlushInterrupts } from "./flush-interrupts.ts";
import { GuestMemory } from "./guest-memory.ts";
import { LockBank } from "./lock-bank.ts";
import { NEXT, Phases } from "./phases.ts";
import {
  CODE,
  type Program,
  ProgramTree,
  type SimpleProgram,
  type StartEntry,
  stackOfLock,
} from "./program.ts";
import { Psp } from "./psp.ts";
import type { StormResult } from "./result.ts";
import type { AcquireHook, StormSetup, WaitHook } from "./setup.ts";
import { type StormLock, stormLocks } from "./storm-path.ts";
import { stormResult } from "./storm-result.ts";
import { type StormTasks, stormTasks } from "./storm-tasks.ts";

/**
 * The kernel model executed by time: tasks on CPUs, locks, the PSP, flushes, policies. Here are the
 * event loop and the interpreter of page programs; everything that is counted or queued has a file
 * of its own.
 *
 * Numbers first. 1,024 VMs × 4 GiB are 1.07·10⁹ page operations; almost all of them are work, one
 * spinning lock around work, work. When a task arrives at such a lock, everything up to its next
 * arrival is known (Lindley: grant = max(now, free) + hand-over), so a page is one event. The rest
 * (splits, phases, exits, preemption) goes through the interpreter below, one event a step: a split
 * is 1 page in 512.
 *
 * What is left out, and which answer it bends:
 * - One run queue for the host, in order of arrival: load is always balanced.
 * - Threads of one core do not slow each other down.
 * - A flush's interrupt delays what its receiver does next, not a hold it interrupts (unless that
 *   is made of several steps): holds are a little short where CPUs are many and splits frequent.
 * - RMPUPDATE never overlaps another one (RMP_FAIL_OVERLAP): hosts of 4 KiB pages alone.
 * - Mutexes are handed over in order, without optimistic spinning.
 */
export class Storm {
  readonly #setup: StormSetup;
  readonly #tasks: StormTasks;
  readonly #calendar: Calendar;
  readonly #cpus: Cpus;
  readonly #locks: LockBank;
  readonly #psp: Psp;
  readonly #interrupts: FlushInterrupts;
  readonly #phases: Phases;
  readonly #admission: Admission;
  readonly #draws: Draws;
  readonly #memory: GuestMemory;
  readonly #map: DirectMap;
  readonly #trees: readonly ProgramTree[];
  readonly #onAcquire: AcquireHook | undefined;
  readonly #onWait: WaitHook | undefined;
  readonly #isWatched: boolean;
  readonly #burstNs: number;

  // By task.
  readonly #mode: Uint8Array;
  /** Pages left of a stretch of simple ones. */
  readonly #fastLeft: Int32Array;
  readonly #simple: (SimpleProgram | undefined)[];
  readonly #program: (Program | undefined)[];
  readonly #pc: Int32Array;
  readonly #region: Int32Array;
  readonly #tree: (ProgramTree | undefined)[];
  readonly #entry: StartEntry[];
  /** Work that is left after a slice; of a waiter, the length of its hold, or OPEN. */
  readonly #rest: Float64Array;
  /** Open holds of locks that spin. */
  readonly #held: Int32Array;
  readonly #operationsOf: Float64Array;

  readonly #readyNs: Float64Array;
  #vmsLeft: number;
  /** Page operations of all runs that have ended, and what is left of this one. */
  #operations = 0;
  #operationsLeft = 0;
  #events = 0;

  constructor(setup: StormSetup, options: StormOptions = {}) {
    this.#setup = setup;
    this.#onAcquire = options.onAcquire;
    this.#onWait = options.onWait;
    this.#isWatched = options.onAcquire !== undefined || options.onWait !== undefined;
    this.#burstNs = options.burstNs ?? BURST_NS;
    const { vms, design, topology, costs, memory, flush } = setup;
    const tasks = stormTasks(setup);
    const locks = stormLocks(design);
    this.#tasks = tasks;
    this.#calendar = new Calendar(tasks.count + EVENTS_OF_ADMISSION);
    this.#cpus = new Cpus(setup, tasks.count);
    this.#locks = new LockBank(locks, memory.regions, tasks, topology, costs);
    this.#psp = new Psp(tasks);
    this.#interrupts = new FlushInterrupts(flush === "ipi" ? costs.ipiHandler : 0, tasks.count);
    this.#phases = new Phases(setup, tasks);
    const measured = { locks: this.#locks, psp: this.#psp, cpus: this.#cpus };
    this.#admission = new Admission(setup, tasks, this.#calendar, measured, (task, now) =>
      this.#wakeAt(task, now),
    );
    this.#draws = new Draws(setup, tasks.count);
    this.#memory = new GuestMemory(setup, tasks);
    this.#map = new DirectMap(memory, design.preSplit, options.isLarge);
    this.#trees = programTrees(setup, locks, this.#map.hasPud);

    this.#mode = new Uint8Array(tasks.count);
    this.#fastLeft = new Int32Array(tasks.count);
    this.#simple = new Array(tasks.count).fill(undefined);
    this.#program = new Array(tasks.count).fill(undefined);
    this.#pc = new Int32Array(tasks.count);
    this.#region = new Int32Array(tasks.count);
    this.#tree = new Array(tasks.count).fill(undefined);
    this.#entry = new Array(tasks.count).fill("table");
    this.#rest = new Float64Array(tasks.count);
    this.#held = new Int32Array(tasks.count);
    this.#operationsOf = new Float64Array(tasks.count);
    this.#readyNs = new Float64Array(vms.length);
    this.#vmsLeft = vms.length;
    this.#start();
  }

  /** Runs to the end, or until that many page operations are done. */
  run(operations = Number.POSITIVE_INFINITY): void {
    const calendar = this.#calendar;
    const most = Math.min(operations - this.#operations, Number.MAX_SAFE_INTEGER);
    this.#operationsLeft = most;
    while (this.#vmsLeft > 0 && this.#operationsLeft > 0) {
      const id = calendar.pop();
      assert(id >= 0, "VMs that are not ready have something to wait for");
      this.#events += 1;
      if (id < this.#tasks.count) this.#advance(id, calendar.now);
      else this.#admission.event(id, calendar.now);
    }
    this.#operations += most - this.#operationsLeft;
  }

  /** All VMs are ready. */
  get isOver(): boolean {
    return this.#vmsLeft === 0;
  }

  get operations(): number {
    return this.#operations;
  }

  get events(): number {
    return this.#events;
  }

  get nowNs(): number {
    return this.#calendar.now;
  }

  /** Page operations done by each task: VMs first, then their helpers, then background. */
  operationsByTask(): Float64Array {
    return this.#operationsOf.slice();
  }

  /** What came out, or has come out by now. */
  result(): StormResult {
    return stormResult(this.#setup, {
      nowNs: this.#calendar.now,
      tasks: this.#tasks,
      phases: this.#phases,
      admission: this.#admission,
      locks: this.#locks,
      psp: this.#psp,
      cpus: this.#cpus,
      readyNs: this.#readyNs,
      operations: this.#operations,
      events: this.#events,
      flushes: this.#interrupts.count,
    });
  }

  #start(): void {
    const { vms, background } = this.#setup;
    vms.forEach((vm, v) => {
      this.#mode[v] = MODE.request;
      this.#calendar.schedule(v, vm.startNs);
    });
    background.forEach((task, i) => {
      this.#wakeAt(this.#tasks.background + i, task.startNs);
    });
    this.#admission.start();
  }

  // ---- One event of a task ------------------------------------------------------------------------

  #advance(task: number, now: number): void {
    const mode = this.#mode[task]!;
    if (mode === MODE.fast || mode === MODE.step) {
      // Interrupts since the last event come first: what they took is still to be paid.
      if (this.#interrupts.hasNews(task)) {
        const owed = this.#interrupts.owedNs(task);
        if (owed > 0) {
          this.#calendar.schedule(task, now + owed);
          return;
        }
      }
      const cpus = this.#cpus;
      if (cpus.crowded && this.#held[task] === 0 && now >= cpus.sliceEnd(task)) {
        if (this.#yieldCpu(task, now)) return;
      }
      if (mode === MODE.fast) this.#arrive(task, now);
      else this.#step(task, now);
      return;
    }
    switch (mode) {
      case MODE.request:
        if (this.#admission.askBoot(task, now)) this.#goOn(task, now);
        this.#admission.letGo(now);
        return;
      case MODE.wake:
        this.#goOn(task, now);
        return;
      case MODE.slice:
        this.#mode[task] = MODE.step;
        if (this.#cpus.crowded && this.#yieldCpu(task, now)) return;
        this.#work(task, now, this.#rest[task]!);
        return;
      case MODE.dispatched:
        this.#dispatched(task, now);
        return;
      default:
        assert(false, `an event finds its task in mode ${mode}`);
    }
  }

  /** Steps once the task has a CPU. */
  #goOn(task: number, now: number): void {
    this.#mode[task] = MODE.step;
    if (!this.#cpus.take(task, now)) return;
    this.#interrupts.skip(task);
    this.#step(task, now);
  }

  /** The task has just got a CPU from the run queue: goes on with what it was doing. */
  #dispatched(task: number, now: number): void {
    const rest = this.#rest[task]!;
    this.#rest[task] = 0;
    if (this.#simple[task] !== undefined) {
      this.#mode[task] = MODE.fast;
      this.#arrive(task, now);
      return;
    }
    this.#mode[task] = MODE.step;
    if (rest > 0) this.#work(task, now, rest);
    else this.#step(task, now);
  }

  #wakeAt(task: number, at: number): void {
    this.#mode[task] = MODE.wake;
    this.#calendar.schedule(task, at);
  }

  /** Works for `ns` and then steps; a slice that ends in it is looked at when it ends. */
  #work(task: number, now: number, ns: number): void {
    const end = now + ns;
    if (this.#cpus.crowded && this.#held[task] === 0) {
      const sliceEnd = Math.max(now, this.#cpus.sliceEnd(task));
      if (end > sliceEnd) {
        this.#mode[task] = MODE.slice;
        this.#rest[task] = end - sliceEnd;
        this.#calendar.schedule(task, sliceEnd);
        return;
      }
    }
    this.#rest[task] = 0;
    this.#mode[task] = MODE.step;
    this.#calendar.schedule(task, end);
  }

  /** Gives up the CPU; the first of the run queue gets it. */
  #leaveCpu(task: number, now: number): void {
    const next = this.#cpus.leave(task, now);
    if (next < 0) return;
    this.#interrupts.skip(next);
    this.#mode[next] = MODE.dispatched;
    this.#calendar.schedule(next, this.#cpus.since(next));
  }

  /** At the end of a slice → true when somebody else runs now. */
  #yieldCpu(task: number, now: number): boolean {
    if (this.#cpus.keeps(task, now)) return false;
    if (this.#mode[task] !== MODE.fast) this.#mode[task] = MODE.step;
    this.#leaveCpu(task, now);
    this.#cpus.enqueue(task);
    return true;
  }

  // ---- Between two pages, or two phases -----------------------------------------------------------

  /** → false when the task waits. */
  #next(task: number, now: number): boolean {
    const phases = this.#phases;
    const next = phases.next(task, now);
    switch (next) {
      case NEXT.page:
        return this.#beginPages(task, now);
      case NEXT.ask:
        return this.#askPsc(task, now);
      case NEXT.work:
        this.#work(task, now, this.#besideOthers(task, phases.ns));
        return false;
      case NEXT.wait:
        this.#leaveCpu(task, now);
        this.#wakeAt(task, now + phases.ns);
        return false;
      case NEXT.psp:
        this.#pspCommand(task, now, phases.ns);
        return false;
      case NEXT.fork: {
        const { helpers } = this.#tasks;
        for (let t = helpers[task]!; t < helpers[task + 1]!; t += 1) this.#wakeAt(t, now);
        return true;
      }
      case NEXT.part:
        this.#leaveCpu(task, now);
        return false;
      case NEXT.lastPart:
        this.#leaveCpu(task, now);
        this.#wakeAt(this.#tasks.vmOf[task]!, now);
        return false;
      case NEXT.end:
        this.#end(task, now);
        return false;
      default:
        throw new Error(`bug: next is ${next}`);
    }
  }

  /** Work of a VM among as many boots as there are now: caches and memory are shared. */
  #besideOthers(task: number, ns: number): number {
    const { workPerBoot = 0 } = this.#setup;
    if (workPerBoot === 0 || this.#tasks.vmOf[task]! < 0) return ns;
    return Math.round(ns * (1 + workPerBoot * (this.#admission.inService - 1)));
  }

  /** The task sleeps until its command is done. */
  #pspCommand(task: number, now: number, ns: number): void {
    const done = this.#psp.command(task, now, ns);
    const waitNs = this.#psp.waitedNs;
    if (this.#onWait !== undefined && waitNs > 0) {
      const cpu = this.#cpus.of(task);
      const instance = this.#locks.instances;
      const what = { lock: -1, instance, shared: false, stack: PSP_STACK };
      this.#onWait({ ...what, task, cpu, requestNs: now, waitNs });
    }
    this.#leaveCpu(task, now);
    this.#wakeAt(task, done);
  }

  /** → true when the exit may go on at once. */
  #askPsc(task: number, now: number): boolean {
    const admitted = this.#admission.askPsc(task, now, this.#phases.pagesOfExit(task));
    if (!admitted) this.#leaveCpu(task, now);
    this.#admission.letGo(now);
    return admitted;
  }

  #end(task: number, now: number): void {
    this.#leaveCpu(task, now);
    if (this.#tasks.vmOf[task] !== task) return;
    this.#readyNs[task] = now;
    this.#vmsLeft -= 1;
    this.#admission.finish(task, now);
  }

  /** → false when the task waits: pages of a stretch are on their way. */
  #beginPages(task: number, now: number): boolean {
    const { pagesPerOp, pspNs } = this.#phases.phase!;
    const page = this.#phases.page(task);
    const region = this.#memory.regionOf(task, page);
    const tree = this.#trees[this.#phases.operation(task)]!;
    const entry = this.#map.startEntry(region);
    const { simple } = tree.warm;
    this.#region[task] = region;
    if (entry !== "table" || simple === undefined || pspNs > 0) {
      this.#tree[task] = tree;
      this.#entry[task] = entry;
      this.#program[task] = entry === "table" ? tree.warm : tree.start(entry);
      this.#pc[task] = 0;
      this.#phases.take(task, 1);
      return true;
    }
    // As many as are sure to have entries and a lock like this one's.
    const alike =
      this.#map.coldRegions > 0 || this.#locks.isPerPmd(simple.lock)
        ? this.#memory.operationsInRegion(task, page, pagesPerOp)
        : Number.MAX_SAFE_INTEGER;
    this.#fastLeft[task] = this.#phases.take(task, alike);
    this.#simple[task] = simple;
    this.#program[task] = tree.warm;
    this.#mode[task] = MODE.fast;
    this.#calendar.schedule(task, now + this.#draws.think(task, simple.leadNs));
    return false;
  }

  // ---- Pages of work, one lock around work, work ------------------------------------------------

  /** The task has arrived at the lock of a simple page. */
  #arrive(task: number, now: number): void {
    const simple = this.#simple[task]!;
    if (simple.lock < 0) {
      this.#unlocked(task, now, simple);
      return;
    }
    const locks = this.#locks;
    const at = locks.instance(simple.lock, this.#region[task]!);
    if (locks.mustQueue(at, 0)) {
      locks.enqueue(at, task, now, 0);
      return;
    }
    this.#grantClosed(task, at, simple.lock, now, this.#draws.hold(task, simple.holdNs));
  }

  /** A closed hold that is granted now or later; its end, and what follows, is known at once. */
  #grantClosed(task: number, at: number, lock: number, requested: number, holdNs: number): void {
    const cpu = this.#cpus.of(task);
    const grant = this.#locks.grantExclusive(at, lock, task, cpu, requested, holdNs);
    this.#granted(task, at, lock, 0, requested, grant);
    const release = grant + holdNs;
    if (this.#mode[task] === MODE.fast) this.#nextFast(task, release, this.#simple[task]!);
    else this.#calendar.schedule(task, release);
  }

  #nextFast(task: number, release: number, simple: SimpleProgram): void {
    const left = this.#fastLeft[task]! - 1;
    this.#fastLeft[task] = left;
    let t = release + this.#draws.think(task, simple.tailNs);
    if (left > 0) t += this.#draws.think(task, simple.leadNs);
    else this.#endStretch(task);
    this.#calendar.schedule(task, t);
    this.#count(task, 1);
  }

  #endStretch(task: number): void {
    this.#simple[task] = undefined;
    this.#program[task] = undefined;
    this.#mode[task] = MODE.step;
  }

  /** Pages without any lock: as many as fit into the slice. */
  #unlocked(task: number, now: number, simple: SimpleProgram): void {
    // The work before the first of them is done.
    const each = simple.leadNs + simple.tailNs;
    const { crowded } = this.#cpus;
    const limit = crowded ? Math.max(this.#cpus.sliceEnd(task), now + 1) : now + this.#burstNs;
    let t = now;
    let done = 0;
    const left = this.#fastLeft[task]!;
    if (this.#draws.exponential) {
      while (done < left && t < limit) {
        t += this.#draws.think(task, simple.tailNs);
        done += 1;
        if (done < left) t += this.#draws.think(task, simple.leadNs);
      }
    } else {
      done = each === 0 ? left : Math.min(left, Math.max(1, Math.ceil((limit - now) / each)));
      t = now + done * each - (done === left ? simple.leadNs : 0);
    }
    this.#fastLeft[task] = left - done;
    if (done === left) this.#endStretch(task);
    this.#calendar.schedule(task, t);
    this.#count(task, done);
  }

  #count(task: number, operations: number): void {
    this.#operationsOf[task]! += operations;
    this.#operationsLeft -= operations;
  }

  // ---- The interpreter ------------------------------------------------------------------------------

  /** Goes on until the task has to wait for time, a lock, a CPU or a policy. It has a CPU. */
  #step(task: number, now: number): void {
    for (;;) {
      const program = this.#program[task];
      const goesOn =
        program === undefined ? this.#next(task, now) : this.#execute(task, now, program);
      if (!goesOn) return;
    }
  }

  /** One step of a page's program → false when the task waits. */
  #execute(task: number, now: number, program: Program): boolean {
    const pc = this.#pc[task]!;
    this.#pc[task] = pc + 1;
    switch (program.code[pc]) {
      case CODE.work: {
        const holds = this.#held[task]! > 0;
        const ns = this.#draws.work(task, program.ns[pc]!, program.flag[pc] === 1, holds);
        if (ns === 0) return true;
        this.#work(task, now, ns);
        return false;
      }
      case CODE.lock:
        return this.#lock(task, now, program, pc);
      case CODE.unlock:
        this.#unlock(task, now, program.arg[pc]!, program.flag[pc]!);
        return true;
      case CODE.flush:
        this.#interrupts.send(task, now);
        this.#work(task, now, program.ns[pc]!);
        return false;
      case CODE.branch: {
        const read = program.ns[pc]!;
        const actual = this.#map.read(program.arg[pc]!, this.#region[task]!);
        if (actual !== program.answers[read]) {
          const entry = this.#entry[task]!;
          this.#program[task] = this.#tree[task]!.branch(entry, program, read, actual);
        }
        return true;
      }
      case CODE.state:
        this.#write(program.arg[pc]!, this.#region[task]!);
        return true;
      case CODE.await:
        if (!this.#map.isMarked(this.#region[task]!)) return true;
        this.#locks.await(task);
        return false;
      case CODE.end:
        this.#program[task] = undefined;
        this.#count(task, 1);
        return true;
      default:
        throw new Error(`bug: code ${program.code[pc]}`);
    }
  }

  #write(levelAndEntry: number, region: number): void {
    if (!this.#map.write(levelAndEntry & 1, levelAndEntry >> 1, region)) return;
    this.#locks.wakeAwaiting(
      (task) => this.#region[task] === region,
      (task) => this.#calendar.schedule(task, this.#calendar.now),
    );
  }

  // ---- Locks of the interpreter -----------------------------------------------------------------------

  #lock(task: number, now: number, program: Program, pc: number): boolean {
    const lock = program.arg[pc]!;
    const shared = program.flag[pc]!;
    const at = this.#locks.instance(lock, this.#region[task]!);
    const closedNs = program.closedNs[pc]!;
    if (closedNs >= 0) this.#pc[task] = pc + (program.code[pc + 1] === CODE.work ? 3 : 2);
    if (this.#locks.mustQueue(at, shared)) {
      this.#locks.enqueue(at, task, now, shared);
      this.#rest[task] = closedNs >= 0 ? this.#draws.hold(task, closedNs) : OPEN;
      if (this.#locks.sleeps(lock)) this.#leaveCpu(task, now);
      return false;
    }
    if (closedNs < 0) return this.#grantOpen(task, at, lock, shared, now);
    const holdNs = this.#draws.hold(task, closedNs);
    if (shared) this.#grantSharedClosed(task, at, lock, now, holdNs);
    else this.#grantClosed(task, at, lock, now, holdNs);
    return false;
  }

  #grantSharedClosed(
    task: number,
    at: number,
    lock: number,
    requested: number,
    holdNs: number,
  ): void {
    const cpu = this.#cpus.of(task);
    const grant = this.#locks.grantShared(at, lock, task, cpu, requested, holdNs);
    this.#granted(task, at, lock, 1, requested, grant);
    this.#calendar.schedule(task, grant + holdNs);
  }

  /** A hold whose end is not known yet → true when it begins at once. */
  #grantOpen(task: number, at: number, lock: number, shared: number, requested: number): boolean {
    const cpu = this.#cpus.of(task);
    const grant = this.#locks.grantOpen(at, lock, task, cpu, requested, shared);
    this.#granted(task, at, lock, shared, requested, grant);
    this.#held[task]! += this.#locks.sleeps(lock) ? 0 : 1;
    this.#rest[task] = 0;
    if (grant === this.#calendar.now) return true;
    this.#calendar.schedule(task, grant);
    return false;
  }

  #unlock(task: number, now: number, lock: number, shared: number): void {
    const at = this.#locks.instance(lock, this.#region[task]!);
    this.#held[task]! -= this.#locks.sleeps(lock) ? 0 : 1;
    this.#locks.release(at, lock, now, shared);
    for (let w = this.#locks.dequeue(at); w >= 0; w = this.#locks.dequeue(at)) {
      this.#grantQueued(w, at, lock, now);
    }
  }

  /** The first of the queue gets the lock that has just become free, or will be by then. */
  #grantQueued(task: number, at: number, lock: number, now: number): void {
    const requested = this.#locks.requestedAt(task);
    const shared = this.#locks.wantsShared(task);
    if (this.#locks.sleeps(lock)) {
      this.#rest[task] = 0;
      const grant = this.#locks.grantOpen(at, lock, task, -1, requested, shared);
      this.#granted(task, at, lock, shared, requested, grant);
      this.#wakeAt(task, now + this.#setup.costs.wakeUp);
      return;
    }
    if (this.#mode[task] === MODE.fast) {
      const { holdNs } = this.#simple[task]!;
      this.#grantClosed(task, at, lock, requested, this.#draws.hold(task, holdNs));
      return;
    }
    const holdNs = this.#rest[task]!;
    this.#rest[task] = 0;
    if (holdNs === OPEN) {
      if (this.#grantOpen(task, at, lock, shared, requested)) this.#calendar.schedule(task, now);
    } else if (shared) this.#grantSharedClosed(task, at, lock, requested, holdNs);
    else this.#grantClosed(task, at, lock, requested, holdNs);
  }

  #granted(
    task: number,
    at: number,
    lock: number,
    shared: number,
    requested: number,
    grant: number,
  ): void {
    this.#interrupts.spins(task, grant);
    if (this.#isWatched) this.#tell(task, at, lock, shared, requested, grant);
  }

  #tell(
    task: number,
    at: number,
    lock: number,
    shared: number,
    requestNs: number,
    grant: number,
  ): void {
    this.#onAcquire?.(lock, task, requestNs, grant);
    const waitNs = this.#locks.waitedNs;
    if (this.#onWait === undefined || waitNs === 0) return;
    const program = this.#program[task]!;
    // A stretch of simple pages does not count its steps: there is one lock in it.
    const isFast = this.#mode[task] === MODE.fast;
    const pc = isFast ? program.code.length : this.#pc[task]!;
    this.#onWait({
      lock,
      instance: at,
      shared: shared === 1,
      task,
      cpu: this.#cpus.lastOf(task),
      requestNs,
      waitNs,
      stack: stackOfLock(program, pc),
    });
  }
}

export interface StormOptions {
  readonly onAcquire?: AcquireHook;
  readonly onWait?: WaitHook;
  /** Says which 2 MiB are large entries, in place of `memory`'s shares. */
  readonly isLarge?: (region: number) => boolean;
  /** Pages without a lock that are done at once take at most this long. */
  readonly burstNs?: number;
}

/** Runs a storm to its end. */
export function runStorm(setup: StormSetup, options: StormOptions = {}): StormResult {
  const storm = new Storm(setup, options);
  storm.run();
  return storm.result();
}

function programTrees(
  { design, costs, ops, flush, topology, grain }: StormSetup,
  locks: readonly StormLock[],
  pud: boolean,
): readonly ProgramTree[] {
  const ipiNs = costs.flushIpi + costs.flushIpiPerCpu * (topology.cpus - 1);
  const flushNs = flush === "broadcast" ? costs.flushBroadcast : ipiNs;
  const context = { design, locks, costs, pud, flushNs, fuse: grain === "sections" };
  return ops.map((op) => new ProgramTree(context, op));
}

/** What a task's next event means. */
const MODE = {
  /** Its boot is asked for. */
  request: 0,
  /** It needs a CPU, and then steps. */
  wake: 1,
  /** It has a CPU and steps. */
  step: 2,
  /** Its slice ends in a stretch of work. */
  slice: 3,
  /** It has got a CPU from the run queue. */
  dispatched: 4,
  /** It has arrived at the lock of a simple page. */
  fast: 5,
} as const;

/** drivers/crypto/ccp/sev-dev.c: takes sev_cmd_mutex around every command. */
const PSP_STACK: readonly string[] = ["sev_do_cmd"];
/** `rest` of a task that waits for a lock to hold it openly. */
const OPEN = -1;
/** Pages without a lock that are done at once: a part of a slice. */
const BURST_NS = 1_000_000;
