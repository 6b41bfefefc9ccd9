import { assert } from "../assert.ts";
import { ADMIT, type Ask, NEVER, type Policy, type Sample } from "../policy/policy.ts";
import type { Calendar } from "./calendar.ts";
import type { Cpus } from "./cpus.ts";
import type { LockBank } from "./lock-bank.ts";
import type { Psp } from "./psp.ts";
import type { StormSetup } from "./setup.ts";
import type { StormTasks } from "./storm-tasks.ts";

/**
 * The policy's side of a storm: boots and exits are asked for here, the policy's wake-ups are events
 * of the calendar, and it is told what a governor would have measured. Without a policy everybody
 * goes on at once.
 */
export class Admission {
  /** By VM. */
  readonly admittedNs: Float64Array;
  readonly #policy: Policy | undefined;
  readonly #setup: StormSetup;
  readonly #tasks: StormTasks;
  readonly #calendar: Calendar;
  readonly #locks: LockBank;
  readonly #psp: Psp;
  readonly #cpus: Cpus;
  readonly #wake: (task: number, now: number) => void;
  /** By task. */
  readonly #askedAt: Float64Array;
  readonly #heldBackNs: Float64Array;
  /** Events of the calendar that stand for no wake-up at the moment. */
  readonly #freeTimers: number[];
  readonly #sampler: number;
  #timerAt = NEVER;
  #inService = 0;
  #sampled = { waits: 0, waitNs: 0, waitNsOfVms: 0, busyNs: 0, bootNs: 0, at: 0 };
  readonly #ask = { id: 0, kind: "psc" as Ask["kind"], vm: 0, tenant: 0, pages: 0, priority: 0 };

  /**
   * @param calendar  has EVENTS_OF_ADMISSION ids after those of the tasks
   * @param wake  called for a task that had to wait and may go on
   */
  constructor(
    setup: StormSetup,
    tasks: StormTasks,
    calendar: Calendar,
    measured: { readonly locks: LockBank; readonly psp: Psp; readonly cpus: Cpus },
    wake: (task: number, now: number) => void,
  ) {
    this.#setup = setup;
    this.#policy = setup.policy;
    this.#tasks = tasks;
    this.#calendar = calendar;
    this.#locks = measured.locks;
    this.#psp = measured.psp;
    this.#cpus = measured.cpus;
    this.#wake = wake;
    this.admittedNs = new Float64Array(setup.vms.length);
    this.#askedAt = new Float64Array(tasks.count);
    this.#heldBackNs = new Float64Array(tasks.count);
    this.#freeTimers = Array.from({ length: TIMERS }, (_, i) => tasks.count + i);
    this.#sampler = tasks.count + TIMERS;
  }

  start(): void {
    const policy = this.#policy;
    if (policy === undefined) return;
    policy.observe(cpusBefore(this.#setup), 0);
    this.#calendar.schedule(this.#sampler, SAMPLE_NS);
  }

  /** Boots that were let in and are not over. */
  get inService(): number {
    return this.#inService;
  }

  /** How long a task's exits were held back, all together. */
  heldBackNs(task: number): number {
    return this.#heldBackNs[task]!;
  }

  /** → true when the boot may start at once. Call `letGo` after it. */
  askBoot(vm: number, now: number): boolean {
    if (this.#policy !== undefined) {
      const { pages, tenant, priority } = this.#setup.vms[vm]!;
      const ask = { id: this.#idOfBoot(vm), kind: "boot", vm, tenant, pages, priority } as const;
      if (this.#policy.decide(ask, now) !== ADMIT) return false;
    }
    this.#admit(vm, now);
    return true;
  }

  /** → true when the exit may go on at once. Call `letGo` after it. */
  askPsc(task: number, now: number, pages: number): boolean {
    if (this.#policy === undefined) return true;
    const { vms, background } = this.#setup;
    const vm = this.#tasks.vmOf[task]!;
    const other = background[task - this.#tasks.background];
    const ask = this.#ask;
    ask.id = task;
    ask.vm = other?.vm ?? vm;
    ask.tenant = (other ?? vms[vm]!).tenant;
    ask.pages = pages;
    if (this.#policy.decide(ask, now) === ADMIT) return true;
    this.#askedAt[task] = now;
    return false;
  }

  /** A boot is over. */
  finish(vm: number, now: number): void {
    this.#inService -= 1;
    if (this.#policy === undefined) return;
    const latencyNs = now - this.admittedNs[vm]!;
    const cpuNs = this.#cpuNsOf(vm, now);
    const { pages } = this.#setup.vms[vm]!;
    this.#policy.observe({ kind: "boot-finished", latencyNs, failed: false, cpuNs, pages }, now);
    this.#policy.release(this.#idOfBoot(vm), now);
    this.letGo(now);
  }

  /** Wakes whoever may go on, and sets a timer for the next. */
  letGo(now: number): void {
    const policy = this.#policy;
    if (policy === undefined) return;
    for (let grant = policy.ready(now); grant !== undefined; grant = policy.ready(now)) {
      const vm = grant.id - this.#tasks.count;
      if (vm >= 0) this.#admit(vm, now);
      else this.#heldBackNs[grant.id]! += now - this.#askedAt[grant.id]!;
      this.#wake(vm >= 0 ? vm : grant.id, now);
    }
    const wakeNs = policy.wakeNs();
    if (wakeNs >= this.#timerAt || wakeNs === NEVER) return;
    const timer = this.#freeTimers.pop();
    assert(timer !== undefined, "a policy's next wake-up moves nearer only so often");
    this.#timerAt = Math.max(wakeNs, now);
    this.#calendar.schedule(timer, this.#timerAt);
  }

  /** An event of the calendar that is no task's. */
  event(id: number, now: number): void {
    if (id === this.#sampler) {
      this.#sample(now);
      this.#calendar.schedule(id, now + SAMPLE_NS);
    } else {
      this.#freeTimers.push(id);
      if (now >= this.#timerAt) this.#timerAt = NEVER;
    }
    this.letGo(now);
  }

  /** Asks for exits have the numbers of their tasks. */
  #idOfBoot(vm: number): number {
    return this.#tasks.count + vm;
  }

  #admit(vm: number, now: number): void {
    this.admittedNs[vm] = now;
    this.#inService += 1;
  }

  #cpuNsOf(vm: number, now: number): number {
    const { helpers } = this.#tasks;
    let ns = this.#cpus.busyNsOf(vm, now);
    for (let task = helpers[vm]!; task < helpers[vm + 1]!; task += 1) {
      ns += this.#cpus.busyNsOf(task, now);
    }
    return ns;
  }

  /** What a governor would have measured since the last sample. */
  #sample(now: number): void {
    const policy = this.#policy!;
    const all = this.#locks.totals();
    const waits = all.acquisitions + this.#psp.commands;
    const waitNs = all.waitNs + this.#psp.waitNs;
    const before = this.#sampled;
    const visits = waits - before.waits;
    if (visits > 0) {
      policy.observe({ kind: "queue-time", waitNs: (waitNs - before.waitNs) / visits }, now);
    }
    if (this.#inService > 0) {
      const timeNs = (now - before.at) * this.#inService;
      const share = (all.waitNsOfVms - before.waitNsOfVms) / timeNs;
      policy.observe({ kind: "lock-wait", share: Math.min(1, share) }, now);
    }
    const { busyNs, bootNs } = this.#cpus.totals(now);
    const { cpus } = this.#setup.topology;
    const shareOf = (ns: number) => Math.min(1, ns / (cpus * (now - before.at)));
    const idleShare = 1 - shareOf(busyNs - before.busyNs);
    const bootShare = shareOf(bootNs - before.bootNs);
    policy.observe({ kind: "host-cpu", cpus, idleShare, bootShare }, now);
    this.#sampled = { waits, waitNs, waitNsOfVms: all.waitNsOfVms, busyNs, bootNs, at: now };
  }
}

/** What a governor has seen that was there before the storm: its neighbours. */
export function cpusBefore({ topology: { cpus }, background }: StormSetup): Sample {
  const idleShare = Math.max(0, 1 - background.length / cpus);
  return { kind: "host-cpu", cpus, idleShare, bootShare: 0 };
}

const TIMERS = 64;
/** How often a policy is told what was measured. */
const SAMPLE_NS = 50_000_000;
/** Timers, and the next sample. */
export const EVENTS_OF_ADMISSION: number = TIMERS + 1;
