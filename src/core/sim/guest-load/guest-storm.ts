import { assert } from "../../assert.ts";
import type { CostsNs } from "../../kernel/cost/cost-table.ts";
import type { Design } from "../../kernel/design.ts";
import { type Random, randomFrom } from "../../random.ts";
import { mix } from "../chance.ts";
import { exponentialOf } from "../exact-math.ts";
import { CODE, type Program, type StartEntry } from "../program.ts";
import { stormLocks } from "../storm-path.ts";
import { GuestLock, type GuestSpinlock } from "./guest-lock.ts";
import { pathOf } from "./guest-path.ts";
import { HostCpus } from "./host-cpus.ts";

/** Threads of a guest's kernel that change the direct map, each on a vCPU of its own. */
export interface GuestStormSetup {
  readonly design: Design;
  /**
   * Of the guest's kernel, and `timeSlice` of the host. `lineL3`: a lock from another CPU.
   * `ipiHandler`: until a vCPU that runs has answered a flush.
   */
  readonly costs: CostsNs;
  /** How much longer an idle vCPU takes to answer a flush. */
  readonly wakeUpNs: number;
  /**
   * How long a vCPU spins on average, for a lock or for answers, until another one gets its CPU;
   * infinite: its turn is not shortened.
   */
  readonly spinNs: number;
  /** What maps the page before each operation; no other thread has pages in its 2 MiB. */
  readonly entry: StartEntry;
  /** Work of an operation outside the request. */
  readonly outsideNs: number;
  readonly threads: number;
  readonly vcpus: number;
  readonly hostCpus: number;
  readonly spinlock: GuestSpinlock;
  /** Operations done as one: see `operationsAtOnce`. */
  readonly atOnce: number;
  readonly seed: number;
}

export interface GuestStormResult {
  readonly operations: number;
  readonly elapsedNs: number;
}

/** A vCPU asks for a lock, holds it or gives it back; gets a CPU of the host, or loses it. */
export type GuestHook = (
  what: "asks" | "holds" | "releases" | "runs" | "stops",
  vcpu: number,
  now: number,
) => void;

/**
 * The kernel model executed by time in a guest. `Storm` executes the same programs on a host, where
 * who holds a spinlock or waits for one keeps its CPU, and where the end of a hold is known at its
 * begin. Neither is so in a guest: the host takes a CPU from a vCPU at any instant. So everything is
 * an event here; without more vCPUs than CPUs both do the same.
 *
 * A flush interrupts every other vCPU and waits for all: for one that waits for a CPU until it has
 * one, and one that is idle has to get one first.
 *
 * Who spins may lose its CPU before its turn is over. QEMU's emulation leaves its loop at each PAUSE
 * and takes a lock of its own there, for which threads sleep (helper_pause of target/i386/tcg,
 * mttcg_cpu_thread_fn of accel/tcg); processors tell KVM of long spins.
 *
 * Few vCPUs: the next event is found by looking at each.
 */
export class GuestStorm {
  readonly #setup: GuestStormSetup;
  readonly #program: Program;
  /** By number; undefined: a lock of a PMD, which nobody else ever asks for. */
  readonly #locks: readonly (GuestLock | undefined)[];
  readonly #host: HostCpus;
  readonly #hook: GuestHook | undefined;
  readonly #runs = (vcpu: number) => this.#host.runs(vcpu);
  readonly #spinning: Random;
  #now = 0;
  #operations = 0;

  // By vCPU.
  readonly #state: Uint8Array;
  readonly #pc: Int32Array;
  readonly #nextNs: Float64Array;
  /** When its work is done, if it keeps its CPU; and what is left of it without one. */
  readonly #endNs: Float64Array;
  readonly #restNs: Float64Array;
  /** When it is tired of the spin that it is in; infinite: it is in none. */
  readonly #tiredNs: Float64Array;
  /** Until when it handles interrupts. */
  readonly #handlesUntil: Float64Array;
  readonly #waitsFor: (GuestLock | undefined)[];
  /** Of a flush it has sent. */
  readonly #answersLeft: Int32Array;
  readonly #answeredNs: Float64Array;
  /** Who has sent it an interrupt that it could not handle yet. */
  readonly #senders: number[][];

  constructor(setup: GuestStormSetup, hook?: GuestHook) {
    const { design, costs, vcpus, threads, hostCpus, spinlock } = setup;
    assert(threads <= vcpus, "each thread has a vCPU of its own");
    this.#setup = setup;
    this.#hook = hook;
    this.#program = pathOf(design, costs, setup.entry, setup.outsideNs);
    this.#locks = stormLocks(design).map(({ kind, scope }) => {
      assert(!kind.startsWith("rw"), "a guest's locks are not shared");
      return scope === "pmd" ? undefined : new GuestLock(spinlock);
    });
    this.#host = new HostCpus(hostCpus, vcpus, costs.timeSlice, randomFrom(setup.seed));
    this.#state = new Uint8Array(vcpus).fill(STATE.idle);
    this.#pc = new Int32Array(vcpus);
    this.#nextNs = new Float64Array(vcpus).fill(Number.POSITIVE_INFINITY);
    this.#endNs = new Float64Array(vcpus);
    this.#restNs = new Float64Array(vcpus);
    this.#spinning = randomFrom(mix(setup.seed, SPINNING));
    this.#tiredNs = new Float64Array(vcpus).fill(Number.POSITIVE_INFINITY);
    this.#handlesUntil = new Float64Array(vcpus);
    this.#waitsFor = new Array(vcpus).fill(undefined);
    this.#answersLeft = new Int32Array(vcpus);
    this.#answeredNs = new Float64Array(vcpus);
    this.#senders = Array.from({ length: vcpus }, () => []);
    for (let thread = 0; thread < threads; thread += 1) {
      this.#state[thread] = STATE.works;
      this.#wake(thread);
    }
  }

  /**
   * Goes on until that time, and until all threads together have done so many operations.
   * @returns what is done since the begin
   */
  run(untilNs: number, operations: number): GuestStormResult {
    while (this.#now < untilNs || this.#operations < operations) {
      let vcpu = 0;
      for (let v = 1; v < this.#nextNs.length; v += 1) {
        if (this.#nextNs[v]! < this.#nextNs[vcpu]!) vcpu = v;
      }
      this.#now = this.#nextNs[vcpu]!;
      assert(this.#now < Number.POSITIVE_INFINITY, "someone can go on");
      this.#event(vcpu);
    }
    return { operations: this.#operations, elapsedNs: this.#now };
  }

  #event(vcpu: number): void {
    const now = this.#now;
    if (now >= this.#dueNs(vcpu)) this.#goOn(vcpu);
    else this.#endTurn(vcpu);
    this.#plan(vcpu);
  }

  /** When a vCPU that runs has done what it is doing. */
  #dueNs(vcpu: number): number {
    switch (this.#state[vcpu]) {
      case STATE.works:
        return this.#endNs[vcpu]!;
      case STATE.flushes:
        if (this.#answersLeft[vcpu]! > 0) return Number.POSITIVE_INFINITY;
        return Math.max(this.#answeredNs[vcpu]!, this.#handlesUntil[vcpu]!);
      case STATE.spins:
        return Number.POSITIVE_INFINITY;
      default:
        return this.#handlesUntil[vcpu]!;
    }
  }

  #plan(vcpu: number): void {
    if (!this.#host.runs(vcpu)) {
      this.#nextNs[vcpu] = Number.POSITIVE_INFINITY;
      return;
    }
    const dueNs = this.#dueNs(vcpu);
    const turnEnd = Math.min(this.#host.sliceEnd(vcpu), this.#tiredAt(vcpu, dueNs));
    // An interrupt that is being handled has been answered for already.
    const giveWayNs = Math.max(turnEnd, this.#handlesUntil[vcpu]!);
    this.#nextNs[vcpu] = Math.max(this.#now, Math.min(dueNs, giveWayNs));
  }

  /** @param dueNs  infinite: it spins, and nobody knows yet how long */
  #tiredAt(vcpu: number, dueNs: number): number {
    if (!this.#host.isCrowded) return Number.POSITIVE_INFINITY;
    if (dueNs < Number.POSITIVE_INFINITY) {
      this.#tiredNs[vcpu] = Number.POSITIVE_INFINITY;
    } else if (this.#tiredNs[vcpu] === Number.POSITIVE_INFINITY) {
      const spinNs = exponentialOf(this.#spinning.u32()) * this.#setup.spinNs;
      this.#tiredNs[vcpu] = this.#now + Math.ceil(spinNs);
    }
    return this.#tiredNs[vcpu]!;
  }

  // ---- CPUs of the host ---------------------------------------------------------------------------

  #wake(vcpu: number): void {
    if (this.#host.take(vcpu, this.#now)) this.#dispatched(vcpu);
  }

  #sleep(vcpu: number): void {
    this.#hook?.("stops", vcpu, this.#now);
    const next = this.#host.leave(vcpu, this.#now);
    if (next >= 0) this.#dispatched(next);
  }

  #endTurn(vcpu: number): void {
    this.#tiredNs[vcpu] = Number.POSITIVE_INFINITY;
    const next = this.#host.giveWay(vcpu, this.#now);
    if (next < 0) return;
    this.#hook?.("stops", vcpu, this.#now);
    this.#restNs[vcpu] = this.#endNs[vcpu]! - this.#now;
    this.#dispatched(next);
  }

  /** The vCPU has got a CPU: handles what has interrupted it, and goes on where it was. */
  #dispatched(vcpu: number): void {
    this.#hook?.("runs", vcpu, this.#now);
    const senders = this.#senders[vcpu]!;
    if (senders.length > 0) {
      const wakeUpNs = this.#state[vcpu] === STATE.idle ? this.#setup.wakeUpNs : 0;
      this.#handlesUntil[vcpu] = this.#now + wakeUpNs + this.#setup.costs.ipiHandler;
      for (const sender of senders.splice(0)) this.#answer(sender, this.#handlesUntil[vcpu]!);
    }
    if (this.#state[vcpu] === STATE.works) this.#work(vcpu, this.#restNs[vcpu]!);
    const lock = this.#waitsFor[vcpu];
    if (lock?.askAgain(vcpu)) this.#hold(vcpu, lock, 1);
    this.#plan(vcpu);
  }

  #work(vcpu: number, ns: number): void {
    this.#state[vcpu] = STATE.works;
    this.#restNs[vcpu] = ns;
    this.#endNs[vcpu] = Math.max(this.#now, this.#handlesUntil[vcpu]!) + ns;
  }

  // ---- What a vCPU does ---------------------------------------------------------------------------

  #goOn(vcpu: number): void {
    if (this.#state[vcpu] === STATE.idle) {
      this.#sleep(vcpu);
      return;
    }
    const { code, ns, arg } = this.#program;
    for (;;) {
      const pc = this.#pc[vcpu]!;
      this.#pc[vcpu] = pc + 1;
      switch (code[pc]) {
        case CODE.work:
          this.#work(vcpu, ns[pc]! * this.#setup.atOnce);
          return;
        case CODE.lock: {
          const lock = this.#locks[arg[pc]!];
          if (lock === undefined || this.#lock(vcpu, lock)) break;
          return;
        }
        case CODE.unlock: {
          const lock = this.#locks[arg[pc]!];
          if (lock !== undefined) this.#unlock(vcpu, lock);
          break;
        }
        case CODE.flush:
          if (this.#flush(vcpu)) return;
          break;
        case CODE.end:
          this.#pc[vcpu] = 0;
          this.#operations += this.#setup.atOnce;
          break;
        default:
          // Reads and writes of entries that are its own: nobody else changes them, or waits.
          break;
      }
    }
  }

  /** Interrupts all other vCPUs → false when there are none. */
  #flush(vcpu: number): boolean {
    const { vcpus, costs } = this.#setup;
    this.#state[vcpu] = STATE.flushes;
    this.#answersLeft[vcpu] = vcpus - 1;
    this.#answeredNs[vcpu] = this.#now;
    for (let other = 0; other < vcpus; other += 1) {
      if (other === vcpu) continue;
      if (this.#host.runs(other)) {
        const begin = Math.max(this.#now, this.#handlesUntil[other]!);
        this.#handlesUntil[other] = begin + costs.ipiHandler;
        this.#endNs[other]! += costs.ipiHandler;
        this.#answer(vcpu, this.#handlesUntil[other]!);
        this.#plan(other);
      } else {
        const waits = this.#state[other] !== STATE.idle || this.#senders[other]!.length > 0;
        this.#senders[other]!.push(vcpu);
        if (!waits) this.#wake(other);
      }
    }
    return vcpus > 1;
  }

  #answer(sender: number, at: number): void {
    this.#answersLeft[sender]! -= 1;
    this.#answeredNs[sender] = Math.max(this.#answeredNs[sender]!, at);
    this.#plan(sender);
  }

  // ---- Locks --------------------------------------------------------------------------------------

  /** → true when the vCPU goes on at once. */
  #lock(vcpu: number, lock: GuestLock): boolean {
    this.#hook?.("asks", vcpu, this.#now);
    if (!lock.ask(vcpu)) {
      this.#waitsFor[vcpu] = lock;
      this.#state[vcpu] = STATE.spins;
      return false;
    }
    return this.#hold(vcpu, lock, 1) === 0;
  }

  /**
   * The lock word comes from the CPU that had it last. Behind a waiter it takes two transfers, as in
   * `LockBank`. → how long
   */
  #hold(vcpu: number, lock: GuestLock, transfers: 1 | 2): number {
    this.#hook?.("holds", vcpu, this.#now);
    const cpu = this.#host.of(vcpu);
    const moves = lock.lastCpu >= 0 && lock.lastCpu !== cpu;
    if (cpu >= 0) lock.lastCpu = cpu;
    this.#waitsFor[vcpu] = undefined;
    const { costs, atOnce } = this.#setup;
    const ns = moves ? transfers * costs.lineL3 * atOnce : 0;
    this.#work(vcpu, ns);
    return ns;
  }

  #unlock(vcpu: number, lock: GuestLock): void {
    this.#hook?.("releases", vcpu, this.#now);
    const next = lock.release(this.#runs);
    if (next < 0) return;
    this.#hold(next, lock, 2);
    this.#plan(next);
  }
}

/** What a vCPU does, whether it has a CPU of the host or not. */
const STATE = {
  /** Nothing: it sleeps, or handles an interrupt. */
  idle: 0,
  works: 1,
  /** Spins for a lock. */
  spins: 2,
  /** Spins until its flush is answered. */
  flushes: 3,
} as const;

/** Spins draw from a stream of their own. */
const SPINNING = 1;
