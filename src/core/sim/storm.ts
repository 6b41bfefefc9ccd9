import { assert, assertNever } from "../assert.ts";
import { ADMIT, type Ask, NEVER } from "../policy/policy.ts";
import type { Random } from "../random.ts";
import { Calendar } from "./calendar.ts";
import { mix, phaseDraw, stream } from "./chance.ts";
import { Cpus } from "./cpus.ts";
import { DirectMap } from "./direct-map.ts";
import { exponentialOf } from "./exact-math.ts";
import { LockBank } from "./lock-bank.ts";
import { CODE, type Program, ProgramTree, type SimpleProgram, type StartEntry } from "./program.ts";
import { PSP_QUEUE, type StormResult } from "./result.ts";
import type { AcquireHook, PagesPhase, StormPhase, StormSetup } from "./setup.ts";
import { sleeps, stormLocks } from "./storm-path.ts";

/**
 * The kernel model executed by time: tasks on CPUs, locks, the PSP, flushes, policies.
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
  readonly #calendar: Calendar;
  readonly #locks: LockBank;
  readonly #trees: readonly ProgramTree[];
  readonly #onAcquire: AcquireHook | undefined;
  readonly #sleeps: Uint8Array;
  readonly #perPmd: Uint8Array;
  readonly #exponential: boolean;
  readonly #burstNs: number;

  readonly #map: DirectMap;

  // Tasks: VM leaders first (task = VM), then their helpers, then background.
  readonly #tasks: number;
  readonly #vmOf: Int32Array;
  readonly #phasesOf: readonly (readonly StormPhase[])[];
  readonly #frame: Float64Array;
  readonly #mode: Uint8Array;
  readonly #cpu: Int16Array;
  readonly #lastCpu: Int16Array;
  readonly #phase: Int32Array;
  readonly #phaseStart: Float64Array;
  readonly #op: Int32Array;
  readonly #opEnd: Int32Array;
  readonly #pass: Int32Array;
  readonly #batchLeft: Int32Array;
  readonly #fastLeft: Int32Array;
  readonly #pc: Int32Array;
  readonly #region: Int32Array;
  readonly #program: (Program | undefined)[];
  readonly #tree: (ProgramTree | undefined)[];
  readonly #simple: (SimpleProgram | undefined)[];
  readonly #entry: StartEntry[];
  readonly #rest: Float64Array;
  readonly #held: Int32Array;
  readonly #factor: Float64Array;
  readonly #sliceEnd: Float64Array;
  readonly #flushSeen: Int32Array;
  readonly #spinUntil: Float64Array;
  readonly #askedAt: Float64Array;
  readonly #lockWait: Float64Array;
  readonly #pspWait: Float64Array;
  readonly #heldBack: Float64Array;
  readonly #hold: Random[];
  readonly #think: Random[];
  readonly #phaseRandom: Random[];

  // CPUs.
  readonly #cpus: Cpus;
  readonly #crowded: boolean;
  #busyNs = 0;
  #spinNs = 0;
  readonly #since: Float64Array;

  // TLB flushes by IPI, by time.
  #flushTimes = new Float64Array(1024);
  #flushes = 0;

  // PSP.
  #pspFree = 0;
  readonly #psp = { acquisitions: 0, contended: 0, wait: 0, waitMax: 0, hold: 0, waitOfVms: 0 };

  // VMs.
  readonly #admitted: Float64Array;
  readonly #ready: Float64Array;
  readonly #joining: Int32Array;
  readonly #phasesNs: Record<string, number>[];
  #vmsLeft: number;
  #inService = 0;
  #pages = 0;
  #operations = 0;
  #events = 0;

  // Policy.
  readonly #timerFree: number[];
  #timerAt = NEVER;
  #sampled = { waits: 0, waitNs: 0, ofVms: 0, at: 0 };
  readonly #ask = { id: 0, kind: "psc" as Ask["kind"], vm: 0, tenant: 0, pages: 0, priority: 0 };

  /** Operations after which a run pauses. */
  #until = Number.POSITIVE_INFINITY;
  #paused = false;
  readonly #opsOfTask: Float64Array;

  constructor(setup: StormSetup, options: StormOptions = {}) {
    this.#setup = setup;
    this.#onAcquire = options.onAcquire;
    this.#burstNs = options.burstNs ?? BURST_NS;
    const { cpus } = setup.topology;
    const helpers = setup.vms.reduce((sum, vm) => sum + vm.tasks - 1, 0);
    const vms = setup.vms.length;
    const tasks = vms + helpers + setup.background.length;
    this.#tasks = tasks;
    this.#vmsLeft = vms;

    this.#vmOf = new Int32Array(tasks).fill(-1);
    const float = () => new Float64Array(tasks);
    const int = () => new Int32Array(tasks);
    this.#frame = float();
    this.#mode = new Uint8Array(tasks);
    this.#cpu = new Int16Array(tasks).fill(-1);
    this.#lastCpu = new Int16Array(tasks).fill(-1);
    this.#phase = int().fill(-1);
    this.#phaseStart = float();
    this.#op = int();
    this.#opEnd = int();
    this.#pass = int();
    this.#batchLeft = int();
    this.#fastLeft = int();
    this.#pc = int();
    this.#region = int();
    this.#program = new Array(tasks).fill(undefined);
    this.#tree = new Array(tasks).fill(undefined);
    this.#simple = new Array(tasks).fill(undefined);
    this.#entry = new Array(tasks).fill("table");
    this.#rest = float();
    this.#held = int();
    this.#factor = float().fill(1);
    this.#sliceEnd = float();
    this.#flushSeen = int();
    this.#spinUntil = float();
    this.#askedAt = float();
    this.#lockWait = float();
    this.#pspWait = float();
    this.#heldBack = float();
    this.#since = float();
    this.#opsOfTask = float();
    this.#phasesOf = this.#placeTasks();
    this.#hold = Array.from({ length: tasks }, (_, t) => stream(setup.seed, t, "hold"));
    this.#think = Array.from({ length: tasks }, (_, t) => stream(setup.seed, t, "think"));
    this.#phaseRandom = Array.from({ length: tasks }, (_, t) => stream(setup.seed, t, "phase"));
    this.#exponential = setup.spread === "exponential";

    this.#cpus = new Cpus(setup.topology, tasks);
    this.#crowded = tasks > cpus;

    const { regions } = setup.memory;
    this.#map = new DirectMap(setup.memory, setup.design.preSplit, options.isLarge);

    const locks = stormLocks(setup.design);
    this.#sleeps = Uint8Array.from(locks, (lock) => (sleeps(lock) ? 1 : 0));
    this.#perPmd = Uint8Array.from(locks, (lock) => (lock.scope === "pmd" ? 1 : 0));
    this.#locks = new LockBank(locks, regions, tasks, setup.topology, setup.costs);
    const { costs } = setup;
    const context = {
      design: setup.design,
      locks,
      costs,
      pud: this.#map.hasPud,
      flushNs:
        setup.flush === "broadcast"
          ? costs.flushBroadcast
          : costs.flushIpi + costs.flushIpiPerCpu * (cpus - 1),
      fuse: setup.grain === "sections",
    };
    this.#trees = setup.ops.map((op) => new ProgramTree(context, op));

    this.#admitted = new Float64Array(vms);
    this.#ready = new Float64Array(vms);
    this.#joining = new Int32Array(vms);
    this.#phasesNs = setup.vms.map(() => ({}));
    const timers = setup.policy === undefined ? 0 : TIMERS;
    this.#timerFree = Array.from({ length: timers }, (_, i) => tasks + i);
    this.#calendar = new Calendar(tasks + timers + 1);
    this.#start();
  }

  /** Runs to the end, or until that many page operations are done. */
  run(operations = Number.POSITIVE_INFINITY): void {
    const calendar = this.#calendar;
    this.#until = operations;
    this.#paused = this.#operations >= operations;
    while (this.#vmsLeft > 0 && !this.#paused) {
      const id = calendar.pop();
      assert(id >= 0, "VMs that are not ready have something to wait for");
      this.#events += 1;
      if (id < this.#tasks) this.#advance(id, calendar.now);
      else this.#timer(id);
    }
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
    return this.#opsOfTask.slice();
  }

  // ---- Setting up -------------------------------------------------------------------------------

  #placeTasks(): StormPhase[][] {
    const { vms, background, memory } = this.#setup;
    const phases: StormPhase[][] = [];
    let frame = 0;
    const place = (pages: number, firstFrame: number | undefined) => {
      if (firstFrame !== undefined) return firstFrame;
      frame += Math.ceil(pages / 512) * 512;
      assert(frame <= memory.regions * 512, "the host has the memory of its guests");
      return frame - Math.ceil(pages / 512) * 512;
    };
    vms.forEach((vm, v) => {
      this.#vmOf[v] = v;
      this.#frame[v] = place(vm.pages, vm.firstFrame);
      phases.push([...vm.phases]);
    });
    vms.forEach((vm, v) => {
      for (let i = 1; i < vm.tasks; i += 1) {
        this.#vmOf[phases.length] = v;
        this.#frame[phases.length] = this.#frame[v]!;
        phases.push([]);
      }
    });
    for (const task of background) {
      this.#frame[phases.length] = place(task.pages, task.firstFrame);
      phases.push([...task.phases]);
    }
    return phases;
  }

  #start(): void {
    const { vms, background } = this.#setup;
    vms.forEach((vm, v) => {
      this.#mode[v] = MODE.request;
      this.#calendar.schedule(v, vm.startNs);
    });
    background.forEach((task, i) => {
      const t = this.#tasks - background.length + i;
      this.#mode[t] = MODE.wake;
      this.#calendar.schedule(t, task.startNs);
    });
    if (this.#setup.policy !== undefined) this.#calendar.schedule(this.#tasks + TIMERS, SAMPLE_NS);
  }

  // ---- One event of a task ------------------------------------------------------------------------

  #advance(task: number, now: number): void {
    const mode = this.#mode[task]!;
    if (mode === MODE.fast || mode === MODE.step) {
      // Interrupts since the last event come first: what they took is still to be paid.
      if (this.#flushSeen[task] !== this.#flushes) {
        const owed = this.#interruptNs(task, now);
        if (owed > 0) {
          this.#calendar.schedule(task, now + owed);
          return;
        }
      }
      if (this.#crowded && this.#held[task] === 0 && now >= this.#sliceEnd[task]!) {
        if (this.#yieldCpu(task, now)) return;
      }
      if (mode === MODE.fast) this.#arrive(task, now);
      else this.#step(task, now);
      return;
    }
    switch (mode) {
      case MODE.request:
        this.#requestBoot(task, now);
        return;
      case MODE.wake:
        this.#mode[task] = MODE.step;
        if (this.#takeCpu(task, now)) this.#step(task, now);
        return;
      case MODE.slice:
        this.#mode[task] = MODE.step;
        if (this.#crowded && this.#yieldCpu(task, now)) return;
        this.#work(task, now, this.#rest[task]!);
        return;
      case MODE.dispatched:
        this.#dispatched(task, now);
        return;
      default:
        assert(false, `an event finds its task in mode ${mode}`);
    }
  }

  /** The task has just got a CPU from the run queue: goes on with what it was doing. */
  #dispatched(task: number, now: number): void {
    const rest = this.#rest[task]!;
    this.#rest[task] = 0;
    if (this.#simple[task] !== undefined && this.#fastLeft[task]! > 0) {
      this.#mode[task] = MODE.fast;
      this.#arrive(task, now);
      return;
    }
    this.#mode[task] = MODE.step;
    if (rest > 0) this.#work(task, now, rest);
    else this.#step(task, now);
  }

  /** Works for `ns` and then steps; a slice that ends in it is looked at when it ends. */
  #work(task: number, now: number, ns: number): void {
    const end = now + ns;
    if (this.#crowded && this.#held[task] === 0) {
      const sliceEnd = Math.max(now, this.#sliceEnd[task]!);
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
    this.#grantClosed(task, at, simple.lock, now, this.#holdDraw(task, simple.holdNs));
  }

  /** A closed hold that is granted now or later; its end, and what follows, is known at once. */
  #grantClosed(task: number, at: number, lock: number, requested: number, holdNs: number): void {
    const grant = this.#locks.grantExclusive(at, lock, this.#cpu[task]!, requested, holdNs);
    this.#countWait(task, lock, requested, grant);
    const release = grant + holdNs;
    if (this.#mode[task] === MODE.fast) this.#nextFast(task, release, this.#simple[task]!);
    else this.#calendar.schedule(task, release);
  }

  #nextFast(task: number, release: number, simple: SimpleProgram): void {
    const left = this.#fastLeft[task]! - 1;
    this.#fastLeft[task] = left;
    this.#op[task]! += 1;
    let t = release + this.#thinkDraw(task, simple.tailNs);
    if (left > 0) {
      t += this.#thinkDraw(task, simple.leadNs);
    } else {
      this.#simple[task] = undefined;
      this.#program[task] = undefined;
      this.#mode[task] = MODE.step;
    }
    this.#calendar.schedule(task, t);
    this.#count(task, 1);
  }

  /** Pages without any lock: as many as fit into the slice. */
  #unlocked(task: number, now: number, simple: SimpleProgram): void {
    // The work before the first of them is done.
    const each = simple.leadNs + simple.tailNs;
    const limit = this.#crowded ? Math.max(this.#sliceEnd[task]!, now + 1) : now + this.#burstNs;
    let t = now;
    let done = 0;
    const left = this.#fastLeft[task]!;
    if (this.#exponential) {
      while (done < left && t < limit) {
        t += this.#thinkDraw(task, simple.tailNs);
        done += 1;
        if (done < left) t += this.#thinkDraw(task, simple.leadNs);
      }
    } else {
      done = each === 0 ? left : Math.min(left, Math.max(1, Math.ceil((limit - now) / each)));
      t = now + done * each - (done === left ? simple.leadNs : 0);
    }
    this.#fastLeft[task] = left - done;
    this.#op[task]! += done;
    if (done === left) {
      this.#simple[task] = undefined;
      this.#program[task] = undefined;
      this.#mode[task] = MODE.step;
    }
    this.#calendar.schedule(task, t);
    this.#count(task, done);
  }

  #count(task: number, operations: number): void {
    this.#operations += operations;
    this.#opsOfTask[task]! += operations;
    if (this.#operations >= this.#until) this.#paused = true;
  }

  // ---- The interpreter ------------------------------------------------------------------------------

  /** Goes on until the task has to wait for time, a lock, a CPU or a policy. It has a CPU. */
  #step(task: number, now: number): void {
    for (;;) {
      const program = this.#program[task];
      const goesOn =
        program === undefined ? this.#nextOfPhase(task, now) : this.#execute(task, now, program);
      if (!goesOn) return;
    }
  }

  /** One step of a page's program → false when the task waits. */
  #execute(task: number, now: number, program: Program): boolean {
    const pc = this.#pc[task]!;
    this.#pc[task] = pc + 1;
    switch (program.code[pc]) {
      case CODE.work: {
        const ns = this.#workDraw(task, program.ns[pc]!, program.flag[pc] === 1);
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
        this.#flush(task, now);
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
        this.#op[task]! += 1;
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

  #lock(task: number, now: number, program: Program, pc: number): boolean {
    const lock = program.arg[pc]!;
    const shared = program.flag[pc]!;
    const at = this.#locks.instance(lock, this.#region[task]!);
    const closedNs = program.closedNs[pc]!;
    if (closedNs >= 0) this.#pc[task] = pc + (program.code[pc + 1] === CODE.work ? 3 : 2);
    if (this.#locks.mustQueue(at, shared)) {
      this.#locks.enqueue(at, task, now, shared);
      if (closedNs >= 0) this.#rest[task] = this.#holdDraw(task, closedNs);
      else this.#rest[task] = OPEN;
      if (this.#sleeps[lock] === 1) this.#leaveCpu(task, now);
      return false;
    }
    if (closedNs >= 0) {
      const holdNs = this.#holdDraw(task, closedNs);
      if (shared) this.#grantSharedClosed(task, at, lock, now, holdNs);
      else this.#grantClosed(task, at, lock, now, holdNs);
      return false;
    }
    return this.#grantOpen(task, at, lock, shared, now);
  }

  #grantSharedClosed(
    task: number,
    at: number,
    lock: number,
    requested: number,
    holdNs: number,
  ): void {
    const grant = this.#locks.grantShared(at, lock, this.#cpu[task]!, requested, holdNs);
    this.#countWait(task, lock, requested, grant);
    this.#calendar.schedule(task, grant + holdNs);
  }

  /** A hold whose end is not known yet → true when it begins at once. */
  #grantOpen(task: number, at: number, lock: number, shared: number, requested: number): boolean {
    const grant = this.#locks.grantOpen(at, lock, this.#cpu[task]!, requested, shared);
    this.#countWait(task, lock, requested, grant);
    this.#held[task]! += this.#sleeps[lock] === 1 ? 0 : 1;
    this.#rest[task] = 0;
    if (grant === this.#calendar.now) return true;
    this.#calendar.schedule(task, grant);
    return false;
  }

  #unlock(task: number, now: number, lock: number, shared: number): void {
    const at = this.#locks.instance(lock, this.#region[task]!);
    this.#held[task]! -= this.#sleeps[lock] === 1 ? 0 : 1;
    this.#locks.release(at, lock, now, shared);
    for (let w = this.#locks.dequeue(at); w >= 0; w = this.#locks.dequeue(at)) {
      this.#grantQueued(w, at, lock, now);
    }
  }

  /** The first of the queue gets the lock that has just become free, or will be by then. */
  #grantQueued(task: number, at: number, lock: number, now: number): void {
    const requested = this.#locks.requestedAt(task);
    const shared = this.#locks.wantsShared(task);
    if (this.#sleeps[lock] === 1) {
      this.#rest[task] = 0;
      const grant = this.#locks.grantOpen(at, lock, -1, requested, shared);
      this.#countWait(task, lock, requested, grant);
      this.#mode[task] = MODE.wake;
      this.#calendar.schedule(task, now + this.#setup.costs.wakeUp);
      return;
    }
    if (this.#mode[task] === MODE.fast) {
      const { holdNs } = this.#simple[task]!;
      this.#grantClosed(task, at, lock, requested, this.#holdDraw(task, holdNs));
      return;
    }
    const holdNs = this.#rest[task]!;
    this.#rest[task] = 0;
    if (holdNs === OPEN) {
      if (this.#grantOpen(task, at, lock, shared, requested)) this.#calendar.schedule(task, now);
    } else if (shared) this.#grantSharedClosed(task, at, lock, requested, holdNs);
    else this.#grantClosed(task, at, lock, requested, holdNs);
  }

  #countWait(task: number, lock: number, requested: number, grant: number): void {
    const wait = this.#locks.waitedNs;
    this.#spinUntil[task] = grant;
    this.#onAcquire?.(lock, task, requested, grant);
    if (wait === 0) return;
    this.#locks.countWait(lock, wait, this.#vmOf[task]! >= 0);
    this.#lockWait[task]! += wait;
    if (this.#sleeps[lock] === 0) this.#spinNs += wait;
  }

  // ---- TLB flushes -----------------------------------------------------------------------------------

  #flush(task: number, now: number): void {
    if (this.#flushes === this.#flushTimes.length) {
      const larger = new Float64Array(this.#flushes * 2);
      larger.set(this.#flushTimes);
      this.#flushTimes = larger;
    }
    this.#flushTimes[this.#flushes] = now;
    this.#flushes += 1;
    // What came before is paid already: this is an event of the task's own.
    this.#flushSeen[task] = this.#flushes;
  }

  /** What IPIs have taken from the task since its last event; nothing while it spun. */
  #interruptNs(task: number, now: number): number {
    const seen = this.#flushSeen[task]!;
    this.#flushSeen[task] = this.#flushes;
    if (this.#setup.flush === "broadcast") return 0;
    const free = this.#spinUntil[task]!;
    let count = 0;
    for (let i = seen; i < this.#flushes; i += 1) {
      const t = this.#flushTimes[i]!;
      if (t > free && t <= now) count += 1;
    }
    return count * this.#setup.costs.ipiHandler;
  }

  // ---- Phases ----------------------------------------------------------------------------------------

  /** Between two pages or two phases → false when the task waits. */
  #nextOfPhase(task: number, now: number): boolean {
    const phase = this.#phasesOf[task]![this.#phase[task]!];
    if (phase?.kind === "pages") {
      if (phase.pspNs > 0 && this.#pc[task]! > 0) {
        this.#pc[task] = 0;
        this.#pspCommand(task, now, phase.pspNs);
        return false;
      }
      if (this.#op[task]! < this.#opEnd[task]!) return this.#beginPage(task, now, phase);
      if (this.#nextPass(task, phase)) return true;
      if (phase.split && !this.#join(task, now)) return false;
    }
    return this.#nextPhase(task, now);
  }

  #nextPass(task: number, phase: PagesPhase): boolean {
    const pass = this.#pass[task]! + 1;
    if (pass >= phase.passes) return false;
    this.#pass[task] = pass;
    this.#op[task] = 0;
    this.#tree[task] = this.#trees[phase.ops[pass % phase.ops.length]!]!;
    return true;
  }

  #nextPhase(task: number, now: number): boolean {
    const phases = this.#phasesOf[task]!;
    const vm = this.#vmOf[task]!;
    const before = phases[this.#phase[task]!];
    if (before !== undefined && vm >= 0) {
      const sums = this.#phasesNs[vm]!;
      sums[before.name] = (sums[before.name] ?? 0) + now - this.#phaseStart[task]!;
    }
    this.#phase[task]! += 1;
    this.#phaseStart[task] = now;
    const phase = phases[this.#phase[task]!];
    if (phase === undefined) {
      this.#end(task, now);
      return false;
    }
    switch (phase.kind) {
      case "work":
        this.#work(task, now, this.#phaseDraw(task, phase.ns));
        return false;
      case "wait":
        this.#leaveCpu(task, now);
        this.#mode[task] = MODE.wake;
        this.#calendar.schedule(task, now + this.#phaseDraw(task, phase.ns));
        return false;
      case "psp":
        this.#pspCommand(task, now, phase.ns);
        return false;
      case "pages":
        this.#beginPages(task, now, phase);
        return true;
      default:
        return assertNever(phase);
    }
  }

  #beginPages(task: number, now: number, phase: PagesPhase): void {
    this.#op[task] = 0;
    this.#opEnd[task] = phase.count;
    this.#pass[task] = 0;
    this.#batchLeft[task] = 0;
    this.#pc[task] = 0;
    this.#tree[task] = this.#trees[phase.ops[0]!]!;
    if (phase.split) this.#fork(task, now, phase);
  }

  /** The VM's helpers take their parts; the leader keeps the first. */
  #fork(task: number, now: number, phase: PagesPhase): void {
    const vm = this.#vmOf[task]!;
    const { tasks } = this.#setup.vms[vm]!;
    const part = (i: number) => Math.floor((phase.count * i) / tasks);
    this.#joining[vm] = tasks;
    this.#opEnd[task] = part(1);
    let helper = this.#setup.vms.length;
    for (let v = 0; v < vm; v += 1) helper += this.#setup.vms[v]!.tasks - 1;
    for (let i = 1; i < tasks; i += 1, helper += 1) {
      const mine = { ...phase, firstPage: phase.firstPage + part(i), count: part(i + 1) - part(i) };
      (this.#phasesOf[helper] as StormPhase[]).splice(0, 1, mine);
      this.#phase[helper] = 0;
      this.#op[helper] = 0;
      this.#opEnd[helper] = mine.count;
      this.#pass[helper] = 0;
      this.#batchLeft[helper] = 0;
      this.#pc[helper] = 0;
      this.#tree[helper] = this.#trees[phase.ops[0]!]!;
      this.#mode[helper] = MODE.wake;
      this.#calendar.schedule(helper, now);
    }
  }

  /** A task has done its part → true when it is the leader and all are done. */
  #join(task: number, now: number): boolean {
    const vm = this.#vmOf[task]!;
    this.#joining[vm]! -= 1;
    const all = this.#joining[vm] === 0;
    if (task === vm && all) return true;
    this.#leaveCpu(task, now);
    if (all && task !== vm) {
      // The leader waits in its phase: its next step finds nothing left to join.
      this.#joining[vm] = 1;
      this.#mode[vm] = MODE.wake;
      this.#calendar.schedule(vm, now);
    }
    return false;
  }

  #end(task: number, now: number): void {
    this.#leaveCpu(task, now);
    const vm = this.#vmOf[task]!;
    if (vm < 0 || vm !== task) return;
    this.#ready[vm] = now;
    this.#vmsLeft -= 1;
    this.#inService -= 1;
    const { policy } = this.#setup;
    if (policy === undefined) return;
    const latencyNs = now - this.#admitted[vm]!;
    policy.observe({ kind: "boot-finished", latencyNs, failed: false }, now);
    policy.release(this.#tasks + vm, now);
    this.#letGo(now);
  }

  // ---- Pages ------------------------------------------------------------------------------------------

  /** → false when the task waits. */
  #beginPage(task: number, now: number, phase: PagesPhase): boolean {
    if (this.#batchLeft[task] === 0) {
      const left = this.#opEnd[task]! - this.#op[task]!;
      const count = Math.min(phase.batch, left);
      // Negative: the exit is being carried out.
      this.#batchLeft[task] = -count;
      if (phase.asks && !this.#askPsc(task, now, count * phase.pagesPerOp)) return false;
    }
    if (this.#batchLeft[task]! < 0) {
      this.#batchLeft[task] = -this.#batchLeft[task]!;
      if (phase.batchNs > 0) {
        this.#work(task, now, phase.batchNs);
        return false;
      }
    }
    this.#beginOp(task, now, phase);
    return this.#program[task] !== undefined && this.#simple[task] === undefined;
  }

  #beginOp(task: number, now: number, phase: PagesPhase): void {
    const page = phase.firstPage + this.#op[task]! * phase.pagesPerOp;
    const region = this.#regionOf(task, page);
    const tree = this.#tree[task]!;
    this.#region[task] = region;
    this.#pages += phase.pagesPerOp;
    this.#pc[task] = 0;
    const entry = this.#map.startEntry(region);
    this.#entry[task] = entry;
    const { simple } = tree.warm;
    if (entry !== "table" || simple === undefined || phase.pspNs > 0) {
      this.#program[task] = entry === "table" ? tree.warm : tree.start(entry);
      this.#batchLeft[task]! -= 1;
      return;
    }
    // As many pages as are known to be alike.
    const alike = this.#alikeFrom(task, page, phase.pagesPerOp, simple);
    const pages = Math.min(alike, this.#batchLeft[task]!, this.#opEnd[task]! - this.#op[task]!);
    this.#batchLeft[task]! -= pages;
    this.#pages += (pages - 1) * phase.pagesPerOp;
    this.#simple[task] = simple;
    this.#program[task] = tree.warm;
    this.#fastLeft[task] = pages;
    this.#mode[task] = MODE.fast;
    const lead = this.#thinkDraw(task, simple.leadNs);
    this.#calendar.schedule(task, now + lead);
  }

  /** How many operations from this page on have entries and locks like its own. */
  #alikeFrom(task: number, page: number, pagesPerOp: number, simple: SimpleProgram): number {
    const perPmd = simple.lock >= 0 && this.#perPmd[simple.lock] === 1;
    if (this.#map.coldRegions === 0 && !perPmd) return Number.MAX_SAFE_INTEGER;
    if (this.#setup.memory.placement === "scattered") return 1;
    return Math.max(1, Math.floor((512 - ((this.#frame[task]! + page) % 512)) / pagesPerOp));
  }

  #regionOf(task: number, page: number): number {
    const { placement, regions } = this.#setup.memory;
    const frame = this.#frame[task]! + page;
    if (placement === "contiguous") return Math.floor(frame / 512);
    return mix(frame, this.#setup.seed) % regions;
  }

  // ---- The PSP ----------------------------------------------------------------------------------------

  /** The caller sleeps until its command is done; one at a time, in order. */
  #pspCommand(task: number, now: number, ns: number): void {
    const begin = Math.max(now, this.#pspFree);
    const wait = begin - now;
    this.#pspFree = begin + ns;
    const psp = this.#psp;
    psp.acquisitions += 1;
    psp.hold += ns;
    if (wait > 0) {
      psp.contended += 1;
      psp.wait += wait;
      psp.waitMax = Math.max(psp.waitMax, wait);
      this.#pspWait[task]! += wait;
      if (this.#vmOf[task]! >= 0) psp.waitOfVms += wait;
    }
    this.#leaveCpu(task, now);
    this.#mode[task] = MODE.wake;
    this.#calendar.schedule(task, begin + ns);
  }

  // ---- CPUs -------------------------------------------------------------------------------------------

  /** → true when the task has a CPU now; else it is queued. */
  #takeCpu(task: number, now: number): boolean {
    const cpu = this.#cpus.take(this.#lastCpu[task]!);
    if (cpu < 0) {
      this.#cpus.enqueue(task);
      return false;
    }
    this.#occupy(task, cpu, now);
    return true;
  }

  #occupy(task: number, cpu: number, now: number): void {
    this.#cpu[task] = cpu;
    this.#since[task] = now;
    this.#sliceEnd[task] = now + this.#setup.costs.timeSlice;
    this.#flushSeen[task] = this.#flushes;
  }

  /** Gives up the CPU; the first of the run queue gets it. */
  #leaveCpu(task: number, now: number): void {
    const cpu = this.#cpu[task]!;
    assert(cpu >= 0, "who leaves a CPU has one");
    this.#busyNs += now - this.#since[task]!;
    this.#lastCpu[task] = cpu;
    this.#cpu[task] = -1;
    const next = this.#cpus.dequeue();
    if (next < 0) {
      this.#cpus.free(cpu);
      return;
    }
    const begin = now + this.#setup.costs.contextSwitch;
    this.#occupy(next, cpu, begin);
    this.#mode[next] = MODE.dispatched;
    this.#calendar.schedule(next, begin);
  }

  /** At the end of a slice → true when somebody else runs now. */
  #yieldCpu(task: number, now: number): boolean {
    if (!this.#cpus.someoneWaits) {
      this.#sliceEnd[task] = now + this.#setup.costs.timeSlice;
      return false;
    }
    if (this.#mode[task] !== MODE.fast) this.#mode[task] = MODE.step;
    this.#leaveCpu(task, now);
    this.#cpus.enqueue(task);
    return true;
  }

  // ---- Policy -----------------------------------------------------------------------------------------

  #requestBoot(vm: number, now: number): void {
    const { policy, vms } = this.#setup;
    if (policy === undefined) {
      this.#admit(vm, now);
      return;
    }
    const { pages, tenant, priority } = vms[vm]!;
    const ask = { id: this.#tasks + vm, kind: "boot", vm, tenant, pages, priority } as const;
    if (policy.decide(ask, now) === ADMIT) this.#admit(vm, now);
    this.#letGo(now);
  }

  #admit(vm: number, now: number): void {
    this.#admitted[vm] = now;
    this.#inService += 1;
    this.#mode[vm] = MODE.step;
    if (this.#takeCpu(vm, now)) this.#step(vm, now);
  }

  /** → true when the exit may go on at once. */
  #askPsc(task: number, now: number, pages: number): boolean {
    const { policy, vms, background } = this.#setup;
    if (policy === undefined) return true;
    const vm = this.#vmOf[task]!;
    const ask = this.#ask;
    ask.id = task;
    if (vm >= 0) {
      ask.vm = vm;
      ask.tenant = vms[vm]!.tenant;
    } else {
      const other = background[task - (this.#tasks - background.length)]!;
      ask.vm = other.vm;
      ask.tenant = other.tenant;
    }
    ask.pages = pages;
    const admitted = policy.decide(ask, now) === ADMIT;
    if (!admitted) {
      this.#askedAt[task] = now;
      this.#leaveCpu(task, now);
    }
    this.#letGo(now);
    return admitted;
  }

  #letGo(now: number): void {
    const policy = this.#setup.policy!;
    for (let grant = policy.ready(now); grant !== undefined; grant = policy.ready(now)) {
      const { id } = grant;
      if (id >= this.#tasks) {
        this.#admitted[id - this.#tasks] = now;
        this.#inService += 1;
        this.#mode[id - this.#tasks] = MODE.wake;
        this.#calendar.schedule(id - this.#tasks, now);
      } else {
        this.#heldBack[id]! += now - this.#askedAt[id]!;
        this.#mode[id] = MODE.wake;
        this.#calendar.schedule(id, now);
      }
    }
    const wake = policy.wakeNs();
    if (wake >= this.#timerAt || wake === NEVER) return;
    const id = this.#timerFree.pop();
    assert(id !== undefined, "a policy's next wake-up moves nearer only so often");
    this.#timerAt = Math.max(wake, now);
    this.#calendar.schedule(id, this.#timerAt);
  }

  #timer(id: number): void {
    const now = this.#calendar.now;
    if (id === this.#tasks + TIMERS) {
      this.#sample(now);
      this.#calendar.schedule(id, now + SAMPLE_NS);
    } else {
      this.#timerFree.push(id);
      if (now >= this.#timerAt) this.#timerAt = NEVER;
    }
    this.#letGo(now);
  }

  /** What a governor would have measured since the last sample. */
  #sample(now: number): void {
    const policy = this.#setup.policy!;
    const all = this.#locks.totals();
    const psp = this.#psp;
    const waits = all.acquisitions + psp.acquisitions;
    const waitNs = all.waitNs + psp.wait;
    const before = this.#sampled;
    const visits = waits - before.waits;
    if (visits > 0) {
      policy.observe({ kind: "queue-time", waitNs: (waitNs - before.waitNs) / visits }, now);
    }
    if (this.#inService > 0) {
      const share = (all.waitOfVms - before.ofVms) / ((now - before.at) * this.#inService);
      policy.observe({ kind: "lock-wait", share: Math.min(1, share) }, now);
    }
    this.#sampled = { waits, waitNs, ofVms: all.waitOfVms, at: now };
  }

  // ---- Chance -----------------------------------------------------------------------------------------

  #holdDraw(task: number, ns: number): number {
    return this.#exponential ? Math.round(ns * exponentialOf(this.#hold[task]!.u32())) : ns;
  }

  #thinkDraw(task: number, ns: number): number {
    if (!this.#exponential || ns === 0) return ns;
    return Math.round(ns * exponentialOf(this.#think[task]!.u32()));
  }

  /** One factor for a stretch of work, whether it is one step or many. */
  #workDraw(task: number, ns: number, begins: boolean): number {
    if (!this.#exponential) return ns;
    if (begins) {
      const from = this.#held[task]! > 0 ? this.#hold : this.#think;
      this.#factor[task] = exponentialOf(from[task]!.u32());
    }
    return Math.round(ns * this.#factor[task]!);
  }

  #phaseDraw(task: number, ns: number): number {
    return phaseDraw(this.#phaseRandom[task]!, ns, this.#setup.phaseSpread);
  }

  // ---- What came out ----------------------------------------------------------------------------------

  result(): StormResult {
    const { vms, seed, grain, topology } = this.#setup;
    const now = this.#calendar.now;
    const begin = vms.reduce((first, vm) => Math.min(first, vm.startNs), Number.POSITIVE_INFINITY);
    const makespanNs = now - begin;
    const lockWaitOf = new Float64Array(vms.length);
    const pspWaitOf = new Float64Array(vms.length);
    const heldBackOf = new Float64Array(vms.length);
    let busyNs = this.#busyNs;
    for (let task = 0; task < this.#tasks; task += 1) {
      if (this.#cpu[task]! >= 0) busyNs += Math.max(0, now - this.#since[task]!);
      const vm = this.#vmOf[task]!;
      if (vm < 0) continue;
      lockWaitOf[vm]! += this.#lockWait[task]!;
      pspWaitOf[vm]! += this.#pspWait[task]!;
      heldBackOf[vm]! += this.#heldBack[task]!;
    }
    const results = vms.map((vm, v) => ({
      name: vm.name,
      group: vm.group,
      requestedNs: vm.startNs,
      admittedNs: this.#admitted[v]!,
      readyNs: this.#ready[v]!,
      bootNs: this.#ready[v]! - vm.startNs,
      phasesNs: this.#phasesNs[v]!,
      lockWaitNs: lockWaitOf[v]!,
      pspWaitNs: pspWaitOf[v]!,
      heldBackNs: heldBackOf[v]!,
    }));
    const bootNs = results.reduce((sum, vm) => sum + vm.bootNs, 0);
    const psp = this.#psp;
    const locks = [
      ...this.#locks.results(now, makespanNs, bootNs),
      {
        name: PSP_QUEUE,
        acquisitions: psp.acquisitions,
        contended: psp.contended,
        waitNsTotal: psp.wait,
        waitNsMax: psp.waitMax,
        waitNsOfVms: psp.waitOfVms,
        holdNsTotal: psp.hold,
        utilisation: Math.min(1, psp.hold / makespanNs),
        shareOfBoot: psp.waitOfVms / bootNs,
      },
    ];
    const most = locks.reduce((a, b) => (b.shareOfBoot > a.shareOfBoot ? b : a));
    const cpuNs = makespanNs * topology.cpus;
    const spin = Math.min(this.#spinNs, busyNs);
    return {
      vms: results,
      makespanNs,
      locks,
      bottleneck:
        most.shareOfBoot > 0 ? { name: most.name, shareOfBoot: most.shareOfBoot } : undefined,
      seed,
      grain,
      errorBound: 0,
      pages: this.#pages,
      operations: this.#operations,
      events: this.#events,
      flushes: this.#flushes,
      cpu: {
        work: (busyNs - spin) / cpuNs,
        spin: spin / cpuNs,
        idle: Math.max(0, 1 - busyNs / cpuNs),
      },
    };
  }
}

export interface StormOptions {
  readonly onAcquire?: AcquireHook;
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

/** `rest` of a task that waits for a lock to hold it openly. */
const OPEN = -1;
/** Pages without a lock that are done at once: a part of a slice. */
const BURST_NS = 1_000_000;
const TIMERS = 64;
/** How often a policy is told what was measured. */
const SAMPLE_NS = 50_000_000;
