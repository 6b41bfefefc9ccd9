import type { CostsNs } from "../kernel/cost/cost-table.ts";
import type { LockResult } from "./result.ts";
import { type StormLock, sleeps } from "./storm-path.ts";
import type { StormTasks } from "./storm-tasks.ts";
import { distanceTable, lineNs, type Topology } from "./topology.ts";

/**
 * All locks of a storm, first come first served: qspinlock's and qrwlock's queues are. A lock with
 * scope `pmd` is one instance for each 2 MiB.
 *
 * A hold whose length is known when it is granted is closed: it moves the time at which the lock is
 * free, and the next request reads that time (Lindley's recursion). A hold whose end is not known is
 * open: requests behind it queue, and are granted when it is released.
 *
 * A hot path: typed arrays and plain numbers.
 */
export class LockBank {
  /** Of all locks together. */
  readonly instances: number;
  /** What the last grant had waited for others; 0 when the lock was free. */
  waitedNs = 0;

  readonly #locks: readonly StormLock[];
  readonly #base: Int32Array;
  readonly #perPmd: Uint8Array;
  readonly #sleeps: Uint8Array;
  /** By instance: end of the last exclusive hold, of the last shared one. */
  readonly #free: Float64Array;
  readonly #sharedUntil: Float64Array;
  readonly #open: Uint8Array;
  readonly #openShared: Int32Array;
  readonly #lastCpu: Int16Array;
  readonly #first: Int32Array;
  readonly #last: Int32Array;
  // By task.
  readonly #vmOf: Int32Array;
  readonly #next: Int32Array;
  readonly #requested: Float64Array;
  readonly #shared: Uint8Array;
  readonly #waitOfTask: Float64Array;
  #awaiting: number[] = [];

  readonly #cpus: number;
  readonly #distance: Uint8Array;
  readonly #line: Float64Array;

  // By lock.
  readonly #acquisitions: Float64Array;
  readonly #contended: Float64Array;
  readonly #wait: Float64Array;
  readonly #waitOfVms: Float64Array;
  readonly #waitMax: Float64Array;
  readonly #hold: Float64Array;
  readonly #handOverNs: Float64Array;
  readonly #openHolds: Int32Array;

  constructor(
    locks: readonly StormLock[],
    regions: number,
    tasks: StormTasks,
    topology: Topology,
    costs: CostsNs,
  ) {
    this.#locks = locks;
    this.#perPmd = Uint8Array.from(locks, (lock) => (lock.scope === "pmd" ? 1 : 0));
    this.#sleeps = Uint8Array.from(locks, (lock) => (sleeps(lock) ? 1 : 0));
    let instances = 0;
    this.#base = Int32Array.from(locks, (lock) => {
      instances += lock.scope === "pmd" ? regions : 1;
      return instances - (lock.scope === "pmd" ? regions : 1);
    });
    this.instances = instances;
    this.#free = new Float64Array(instances);
    this.#sharedUntil = new Float64Array(instances);
    this.#open = new Uint8Array(instances);
    this.#openShared = new Int32Array(instances);
    this.#lastCpu = new Int16Array(instances).fill(-1);
    this.#first = new Int32Array(instances).fill(-1);
    this.#last = new Int32Array(instances).fill(-1);
    this.#vmOf = tasks.vmOf;
    this.#next = new Int32Array(tasks.count);
    this.#requested = new Float64Array(tasks.count);
    this.#shared = new Uint8Array(tasks.count);
    this.#waitOfTask = new Float64Array(tasks.count);
    this.#cpus = topology.cpus;
    this.#distance = distanceTable(topology);
    this.#line = lineNs(costs);
    const byLock = () => new Float64Array(locks.length);
    this.#acquisitions = byLock();
    this.#contended = byLock();
    this.#wait = byLock();
    this.#waitOfVms = byLock();
    this.#waitMax = byLock();
    this.#hold = byLock();
    this.#handOverNs = byLock();
    this.#openHolds = new Int32Array(locks.length);
  }

  instance(lock: number, region: number): number {
    return this.#base[lock]! + (this.#perPmd[lock] === 1 ? region : 0);
  }

  /** @param lock  -1: none */
  isPerPmd(lock: number): boolean {
    return lock >= 0 && this.#perPmd[lock] === 1;
  }

  /** Its waiters leave their CPU; else they spin. */
  sleeps(lock: number): boolean {
    return this.#sleeps[lock] === 1;
  }

  /** True when the end of what is before this request is not known yet. */
  mustQueue(at: number, shared: number): boolean {
    if (this.#open[at] === 1 || this.#first[at]! >= 0) return true;
    return shared === 0 && this.#openShared[at]! > 0;
  }

  enqueue(at: number, task: number, now: number, shared: number): void {
    this.#requested[task] = now;
    this.#shared[task] = shared;
    this.#next[task] = -1;
    const last = this.#last[at]!;
    if (last < 0) this.#first[at] = task;
    else this.#next[last] = task;
    this.#last[at] = task;
  }

  /** Takes the first waiter out, if it may go; -1: none. */
  dequeue(at: number): number {
    const task = this.#first[at]!;
    if (task < 0 || this.#open[at] === 1) return -1;
    if (this.#shared[task] === 0 && this.#openShared[at]! > 0) return -1;
    this.#first[at] = this.#next[task]!;
    if (this.#first[at]! < 0) this.#last[at] = -1;
    return task;
  }

  requestedAt(task: number): number {
    return this.#requested[task]!;
  }

  wantsShared(task: number): number {
    return this.#shared[task]!;
  }

  /**
   * A closed exclusive hold → when it begins.
   * @param cpu  where the task spins; -1: it sleeps, and its CPU to be is not known
   */
  grantExclusive(
    at: number,
    lock: number,
    task: number,
    cpu: number,
    requested: number,
    holdNs: number,
  ): number {
    const free = this.#free[at]!;
    const shared = this.#sharedUntil[at]!;
    const grant = this.#handOver(at, lock, task, cpu, requested, free > shared ? free : shared);
    this.#free[at] = grant + holdNs;
    this.#hold[lock]! += holdNs;
    return grant;
  }

  /** A closed shared hold → when it begins. */
  grantShared(
    at: number,
    lock: number,
    task: number,
    cpu: number,
    requested: number,
    holdNs: number,
  ): number {
    const grant = this.#handOver(at, lock, task, cpu, requested, this.#free[at]!);
    this.#sharedUntil[at] = Math.max(this.#sharedUntil[at]!, grant + holdNs);
    this.#hold[lock]! += holdNs;
    return grant;
  }

  /** An open hold → when it begins. */
  grantOpen(
    at: number,
    lock: number,
    task: number,
    cpu: number,
    requested: number,
    shared: number,
  ): number {
    const free = shared ? this.#free[at]! : Math.max(this.#free[at]!, this.#sharedUntil[at]!);
    const grant = this.#handOver(at, lock, task, cpu, requested, free);
    if (shared) this.#openShared[at]! += 1;
    else this.#open[at] = 1;
    this.#hold[lock]! -= grant;
    this.#openHolds[lock]! += 1;
    return grant;
  }

  /** Ends an open hold. */
  release(at: number, lock: number, now: number, shared: number): void {
    this.#hold[lock]! += now;
    this.#openHolds[lock]! -= 1;
    if (shared) {
      this.#openShared[at]! -= 1;
      this.#sharedUntil[at] = Math.max(this.#sharedUntil[at]!, now);
    } else {
      this.#open[at] = 0;
      this.#free[at] = now;
    }
  }

  /**
   * The lock word moves to the CPU; behind a waiter it takes two transfers: the release writes the
   * waiter's queue node, and the waiter the lock word.
   */
  #handOver(
    at: number,
    lock: number,
    task: number,
    cpu: number,
    requested: number,
    free: number,
  ): number {
    const contended = free > requested;
    const from = this.#lastCpu[at]!;
    let cost = 0;
    if (cpu >= 0) {
      if (from >= 0) cost = this.#line[this.#distance[from * this.#cpus + cpu]!]!;
      if (contended) cost *= 2;
      this.#lastCpu[at] = cpu;
    }
    const grant = (contended ? free : requested) + cost;
    this.waitedNs = contended ? grant - requested : 0;
    this.#acquisitions[lock]! += 1;
    this.#handOverNs[lock]! += cost;
    if (contended) this.#countWait(lock, task, grant - requested);
    return grant;
  }

  #countWait(lock: number, task: number, waitNs: number): void {
    this.#contended[lock]! += 1;
    this.#wait[lock]! += waitNs;
    this.#waitOfTask[task]! += waitNs;
    if (this.#vmOf[task]! >= 0) this.#waitOfVms[lock]! += waitNs;
    if (waitNs > this.#waitMax[lock]!) this.#waitMax[lock] = waitNs;
  }

  /** The task spins until a split mark is cleared. */
  await(task: number): void {
    this.#awaiting.push(task);
  }

  wakeAwaiting(isWoken: (task: number) => boolean, wake: (task: number) => void): void {
    const woken = this.#awaiting.filter(isWoken);
    if (woken.length === 0) return;
    this.#awaiting = this.#awaiting.filter((task) => !isWoken(task));
    woken.forEach(wake);
  }

  waitNsOf(task: number): number {
    return this.#waitOfTask[task]!;
  }

  /** Waited for locks that spin, by all tasks. */
  spinNs(): number {
    return this.#wait.reduce((sum, ns, lock) => sum + (this.sleeps(lock) ? 0 : ns), 0);
  }

  /** Over all locks. */
  totals(): { acquisitions: number; waitNs: number; waitNsOfVms: number } {
    const sum = (of: Float64Array) => of.reduce((a, b) => a + b, 0);
    return {
      acquisitions: sum(this.#acquisitions),
      waitNs: sum(this.#wait),
      waitNsOfVms: sum(this.#waitOfVms),
    };
  }

  results(now: number, makespanNs: number, bootNs: number): LockResult[] {
    return this.#locks.map((lock, i) => {
      const holdNs = this.#hold[i]! + this.#openHolds[i]! * now;
      return {
        name: lock.name,
        acquisitions: this.#acquisitions[i]!,
        contended: this.#contended[i]!,
        waitNsTotal: this.#wait[i]!,
        waitNsMax: this.#waitMax[i]!,
        waitNsOfVms: this.#waitOfVms[i]!,
        holdNsTotal: holdNs,
        utilisation: Math.min(1, (holdNs + this.#handOverNs[i]!) / makespanNs),
        shareOfBoot: this.#waitOfVms[i]! / bootNs,
      };
    });
  }
}
