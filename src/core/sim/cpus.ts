import { spreadOrder, type Topology } from "./topology.ts";

/** Idle CPUs, and the tasks that wait for one: one run queue for the host, in order of arrival. */
export class Cpus {
  readonly #order: Int32Array;
  readonly #rank: Int32Array;
  /** A bit for each idle CPU, by its place in the order in which they are taken. */
  readonly #idle: Int32Array;
  readonly #next: Int32Array;
  #first = -1;
  #last = -1;

  constructor(topology: Topology, tasks: number) {
    const { cpus } = topology;
    this.#order = spreadOrder(topology);
    this.#rank = new Int32Array(cpus);
    this.#order.forEach((cpu, rank) => {
      this.#rank[cpu] = rank;
    });
    this.#idle = new Int32Array((cpus + 31) >> 5);
    for (let cpu = 0; cpu < cpus; cpu += 1) this.free(cpu);
    this.#next = new Int32Array(tasks);
  }

  /** An idle CPU, the preferred one if it is; -1: none. */
  take(preferred: number): number {
    const rank =
      preferred >= 0 && this.#isIdle(preferred) ? this.#rank[preferred]! : this.#lowest();
    if (rank < 0) return -1;
    this.#idle[rank >> 5]! &= ~(1 << (rank & 31));
    return this.#order[rank]!;
  }

  free(cpu: number): void {
    const rank = this.#rank[cpu]!;
    this.#idle[rank >> 5]! |= 1 << (rank & 31);
  }

  get someoneWaits(): boolean {
    return this.#first >= 0;
  }

  enqueue(task: number): void {
    this.#next[task] = -1;
    if (this.#last < 0) this.#first = task;
    else this.#next[this.#last] = task;
    this.#last = task;
  }

  /** The task that has waited longest; -1: none. */
  dequeue(): number {
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
