import { assertNever } from "../assert.ts";
import type { Random } from "../random.ts";
import { phaseDraw, stream } from "./chance.ts";
import type { PagesPhase, StormPhase, StormSetup } from "./setup.ts";
import type { StormTasks } from "./storm-tasks.ts";

/** What a task does next. */
export const NEXT = {
  /** Uses its CPU for `ns`. */
  work: 0,
  /** Uses none for `ns`. */
  wait: 1,
  /** Has the PSP work for `ns`. */
  psp: 2,
  /** Asks the policy whether its exit may be carried out, and goes on when it may. */
  ask: 3,
  /** Begins an operation on a page: `take` says how many at once. */
  page: 4,
  /** The VM's helpers begin their parts, and this task its own. */
  fork: 5,
  /** Has done its part of a phase: leaves its CPU. */
  part: 6,
  /** The same, and all others have done theirs: the leader goes on. */
  lastPart: 7,
  /** Has no further phase. */
  end: 8,
} as const;

/**
 * How far each task is in its phases, and what comes next: a state machine without a clock, asked
 * whenever a task is done with what it was told last.
 */
export class Phases {
  // What belongs to the last answer.
  /** How long, where it takes time. */
  ns = 0;
  /** Of `ask` and `page`. */
  phase: PagesPhase | undefined;

  /** 4 KiB pages of all operations begun. */
  pages = 0;
  /** Time of each VM in each phase, by name; phases of one name are summed. */
  readonly nsOfVm: readonly Record<string, number>[];

  readonly #tasks: StormTasks;
  readonly #phases: (readonly StormPhase[])[];
  readonly #spread: number;
  // By task.
  readonly #random: readonly Random[];
  readonly #phase: Int32Array;
  readonly #since: Float64Array;
  readonly #pass: Int32Array;
  readonly #operation: Int32Array;
  /** Operations of this pass begun, and all there are. */
  readonly #begun: Int32Array;
  readonly #count: Int32Array;
  /** Operations left of an exit; negative: the exit itself is still to be carried out. */
  readonly #batchLeft: Int32Array;
  readonly #pspOwed: Uint8Array;
  /** By VM: tasks that have not done their part. */
  readonly #joining: Int32Array;

  constructor(setup: StormSetup, tasks: StormTasks) {
    const { vms, background, seed, phaseSpread } = setup;
    this.#tasks = tasks;
    this.#spread = phaseSpread;
    const helpers = tasks.background - vms.length;
    this.#phases = [
      ...vms.map((vm) => vm.phases),
      ...Array.from({ length: helpers }, () => []),
      ...background.map((task) => task.phases),
    ];
    this.nsOfVm = vms.map(() => ({}));
    this.#random = Array.from({ length: tasks.count }, (_, t) => stream(seed, t, "phase"));
    this.#phase = new Int32Array(tasks.count).fill(-1);
    this.#since = new Float64Array(tasks.count);
    this.#pass = new Int32Array(tasks.count);
    this.#operation = new Int32Array(tasks.count);
    this.#begun = new Int32Array(tasks.count);
    this.#count = new Int32Array(tasks.count);
    this.#batchLeft = new Int32Array(tasks.count);
    this.#pspOwed = new Uint8Array(tasks.count);
    this.#joining = new Int32Array(vms.length);
  }

  /** → one of NEXT */
  next(task: number, now: number): number {
    const phase = this.#phases[task]![this.#phase[task]!];
    if (phase?.kind === "pages") {
      this.phase = phase;
      if (this.#pspOwed[task] === 1) {
        this.#pspOwed[task] = 0;
        this.ns = phase.pspNs;
        return NEXT.psp;
      }
      if (this.#begun[task]! < this.#count[task]! || this.#nextPass(task, phase)) {
        return this.#nextPage(task, phase);
      }
      if (phase.split) {
        const joined = this.#join(task);
        if (joined !== NEXT.end) return joined;
      }
    }
    return this.#nextPhase(task, now);
  }

  /** After `ask`: 4 KiB pages of the exit. */
  pagesOfExit(task: number): number {
    return -this.#batchLeft[task]! * this.phase!.pagesPerOp;
  }

  /** After `page`: which operation, by index into the setup's. */
  operation(task: number): number {
    return this.#operation[task]!;
  }

  /** After `page`: its first page, counted from the VM's first. */
  page(task: number): number {
    const { firstPage, pagesPerOp } = this.phase!;
    return firstPage + this.#begun[task]! * pagesPerOp;
  }

  /** After `page`: begins so many operations, or as many as are left of the exit → how many. */
  take(task: number, operations: number): number {
    const { pagesPerOp, pspNs } = this.phase!;
    const taken = Math.min(operations, this.#batchLeft[task]!);
    this.#batchLeft[task]! -= taken;
    this.#begun[task]! += taken;
    this.pages += taken * pagesPerOp;
    if (pspNs > 0) this.#pspOwed[task] = 1;
    return taken;
  }

  #nextPage(task: number, phase: PagesPhase): number {
    if (this.#batchLeft[task] === 0) {
      const left = this.#count[task]! - this.#begun[task]!;
      this.#batchLeft[task] = -Math.min(phase.batch, left);
      if (phase.asks) return NEXT.ask;
    }
    if (this.#batchLeft[task]! < 0) {
      this.#batchLeft[task] = -this.#batchLeft[task]!;
      this.ns = phase.batchNs;
      if (phase.batchNs > 0) return NEXT.work;
    }
    return NEXT.page;
  }

  /** → false after the last pass. */
  #nextPass(task: number, phase: PagesPhase): boolean {
    const pass = this.#pass[task]! + 1;
    if (pass >= phase.passes || this.#count[task] === 0) return false;
    this.#beginPass(task, phase, pass);
    return true;
  }

  #beginPass(task: number, { ops }: PagesPhase, pass: number): void {
    this.#pass[task] = pass;
    this.#begun[task] = 0;
    this.#operation[task] = ops[pass % ops.length]!;
  }

  #nextPhase(task: number, now: number): number {
    const phases = this.#phases[task]!;
    this.#endPhase(task, phases[this.#phase[task]!], now);
    this.#phase[task]! += 1;
    this.#since[task] = now;
    const phase = phases[this.#phase[task]!];
    if (phase === undefined) return NEXT.end;
    switch (phase.kind) {
      case "work":
        this.ns = phaseDraw(this.#random[task]!, phase.ns, this.#spread);
        return NEXT.work;
      case "wait":
        this.ns = phaseDraw(this.#random[task]!, phase.ns, this.#spread);
        return NEXT.wait;
      case "psp":
        this.ns = phase.ns;
        return NEXT.psp;
      case "pages":
        this.#beginPages(task, phase, phase.count);
        if (!phase.split) return this.next(task, now);
        this.#fork(task, phase);
        return NEXT.fork;
      default:
        return assertNever(phase);
    }
  }

  #endPhase(task: number, phase: StormPhase | undefined, now: number): void {
    const vm = this.#tasks.vmOf[task]!;
    if (phase === undefined || vm < 0) return;
    const sums = this.nsOfVm[vm]!;
    sums[phase.name] = (sums[phase.name] ?? 0) + now - this.#since[task]!;
  }

  #beginPages(task: number, phase: PagesPhase, count: number): void {
    this.#count[task] = count;
    this.#batchLeft[task] = 0;
    this.#beginPass(task, phase, 0);
  }

  /** The VM's helpers take their parts; the leader keeps the first. */
  #fork(leader: number, phase: PagesPhase): void {
    const { helpers } = this.#tasks;
    const first = helpers[leader]!;
    const tasks = helpers[leader + 1]! - first + 1;
    const part = (i: number) => Math.floor((phase.count * i) / tasks);
    this.#joining[leader] = tasks;
    this.#count[leader] = part(1);
    for (let i = 1; i < tasks; i += 1) {
      const helper = first + i - 1;
      const mine = { ...phase, firstPage: phase.firstPage + part(i), count: part(i + 1) - part(i) };
      this.#phases[helper] = [mine];
      this.#phase[helper] = 0;
      this.#beginPages(helper, mine, mine.count);
    }
  }

  /** A task has done its part → `end` when it leads and all are done: the phase is over. */
  #join(task: number): number {
    const leader = this.#tasks.vmOf[task]!;
    this.#joining[leader]! -= 1;
    const all = this.#joining[leader] === 0;
    if (task === leader) return all ? NEXT.end : NEXT.part;
    if (!all) return NEXT.part;
    // The leader is asked again in its phase, and finds nothing left to wait for.
    this.#joining[leader] = 1;
    return NEXT.lastPart;
  }
}
