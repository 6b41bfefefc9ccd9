import { assert } from "../assert.ts";
import type { StormSetup } from "./setup.ts";
import { spreadOrder } from "./topology.ts";

/**
 * Who runs on which CPU and until when, and who waits for one: one run queue for the host, in order
 * of arrival.
 */
export class Cpus {
  /** More tasks than CPUs: slices are looked at. */
  readonly crowded: boolean;
  readonly #switchNs: number;
  readonly #order: Int32Array;
  readonly #rank: Int32Array;
  /** A bit for each idle CPU, by its place in the order in which they are taken. */
  readonly #idle: Int32Array;
  /** By CPU; -1: none. */
  readonly #taskOn: Int32Array;
  readonly #background: number;
  /** CPU time up to when each task left a CPU last. */
  #leftNs = 0;
  #leftNsOfBoots = 0;
  // By task.
  readonly #sliceNs: Float64Array;
  readonly #busyNs: Float64Array;
  readonly #cpu: Int16Array;
  readonly #lastCpu: Int16Array;
  readonly #since: Float64Array;
  readonly #sliceEnd: Float64Array;
  // The run queue.
  readonly #next: Int32Array;
  #first = -1;
  #last = -1;

  constructor({ topology, costs, background }: StormSetup, tasks: number) {
    const { cpus } = topology;
    this.crowded = tasks > cpus;
    this.#background = tasks - background.length;
    this.#sliceNs = new Float64Array(tasks).fill(costs.timeSlice);
    background.forEach(({ weight = 1 }, i) => {
      this.#sliceNs[this.#background + i]! *= weight;
    });
    this.#switchNs = costs.contextSwitch;
    this.#order = spreadOrder(topology);
    this.#rank = new Int32Array(cpus);
    this.#order.forEach((cpu, rank) => {
      this.#rank[cpu] = rank;
    });
    this.#idle = new Int32Array((cpus + 31) >> 5);
    this.#taskOn = new Int32Array(cpus);
    for (let cpu = 0; cpu < cpus; cpu += 1) this.#free(cpu);
    this.#busyNs = new Float64Array(tasks);
    this.#cpu = new Int16Array(tasks).fill(-1);
    this.#lastCpu = new Int16Array(tasks).fill(-1);
    this.#since = new Float64Array(tasks);
    this.#sliceEnd = new Float64Array(tasks);
    this.#next = new Int32Array(tasks);
  }

  /** The CPU that a task runs on; -1: none. */
  of(task: number): number {
    return this.#cpu[task]!;
  }

  /** The CPU that a task runs on, or ran on last. */
  lastOf(task: number): number {
    return this.#cpu[task]! >= 0 ? this.#cpu[task]! : this.#lastCpu[task]!;
  }

  /** When the task on a CPU came onto it. */
  since(task: number): number {
    return this.#since[task]!;
  }

  sliceEnd(task: number): number {
    return this.#sliceEnd[task]!;
  }

  /** → true when the task has a CPU now, its last one where that is idle; else it is queued. */
  take(task: number, now: number): boolean {
    const preferred = this.#lastCpu[task]!;
    const rank =
      preferred >= 0 && this.#isIdle(preferred) ? this.#rank[preferred]! : this.#lowest();
    if (rank < 0) {
      this.enqueue(task);
      return false;
    }
    this.#idle[rank >> 5]! &= ~(1 << (rank & 31));
    this.#occupy(task, this.#order[rank]!, now);
    return true;
  }

  /** Gives up the CPU → the task that gets it, after a context switch; -1: none. */
  leave(task: number, now: number): number {
    const cpu = this.#cpu[task]!;
    assert(cpu >= 0, "who leaves a CPU has one");
    const ns = now - this.#since[task]!;
    this.#busyNs[task]! += ns;
    this.#leftNs += ns;
    if (task < this.#background) this.#leftNsOfBoots += ns;
    this.#lastCpu[task] = cpu;
    this.#cpu[task] = -1;
    const next = this.#dequeue();
    if (next < 0) this.#free(cpu);
    else this.#occupy(next, cpu, now + this.#switchNs);
    return next;
  }

  /** At the end of a slice → true when nobody waits: the task has another. */
  keeps(task: number, now: number): boolean {
    if (this.#first >= 0) return false;
    this.#sliceEnd[task] = now + this.#sliceNs[task]!;
    return true;
  }

  enqueue(task: number): void {
    this.#next[task] = -1;
    if (this.#last < 0) this.#first = task;
    else this.#next[this.#last] = task;
    this.#last = task;
  }

  /** CPU time of a task, what it span included. */
  busyNsOf(task: number, now: number): number {
    return this.#busyNs[task]! + (this.#cpu[task]! < 0 ? 0 : this.#onCpuNs(task, now));
  }

  /** CPU time of all tasks, and of those that are boots' (all but the background's). */
  totals(now: number): { busyNs: number; bootNs: number } {
    let busyNs = this.#leftNs;
    let bootNs = this.#leftNsOfBoots;
    for (const task of this.#taskOn) {
      if (task < 0) continue;
      const ns = this.#onCpuNs(task, now);
      busyNs += ns;
      if (task < this.#background) bootNs += ns;
    }
    return { busyNs, bootNs };
  }

  /** Since the task came onto its CPU; the switch to it may not be over. */
  #onCpuNs(task: number, now: number): number {
    return Math.max(0, now - this.#since[task]!);
  }

  #occupy(task: number, cpu: number, now: number): void {
    this.#cpu[task] = cpu;
    this.#taskOn[cpu] = task;
    this.#since[task] = now;
    this.#sliceEnd[task] = now + this.#sliceNs[task]!;
  }

  #free(cpu: number): void {
    this.#taskOn[cpu] = -1;
    const rank = this.#rank[cpu]!;
    this.#idle[rank >> 5]! |= 1 << (rank & 31);
  }

  /** The task that has waited longest; -1: none. */
  #dequeue(): number {
    const task = this.#first;
    if (task < 0) return -1;
    this.#first = this.#next[task]!;
    if (this.#first < 0) this.#last = -1;
    return task;
  }

  #isIdle(cpu: number): boolean {
    const rank = this.#rank[cpu]!;
    return (this.#idle[rank >> 5]! & (1 << (rank & 31))) !== 0;
  }

  #lowest(): number {
    for (let word = 0; word < this.#idle.length; word += 1) {
      const bits = this.#idle[word]!;
      if (bits !== 0) return (word << 5) | (31 - Math.clz32(bits & -bits));
    }
    return -1;
  }
}
