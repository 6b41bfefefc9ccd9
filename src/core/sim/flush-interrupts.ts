/**
 * TLB flushes, and what their interrupts take from each task. A flush by IPI interrupts every CPU; a
 * waiter that spins loses nothing by it. What is owed is paid at the task's next event.
 */
export class FlushInterrupts {
  /** Flushes so far. */
  count = 0;
  readonly #handlerNs: number;
  /** Ascending. */
  #times = new Float64Array(1024);
  /** By task: flushes that are paid, or that it was not on a CPU for. */
  readonly #seen: Int32Array;
  readonly #spinsUntil: Float64Array;

  /** @param handlerNs  of one interrupt; 0: flushes are broadcast (INVLPGB) and interrupt nobody */
  constructor(handlerNs: number, tasks: number) {
    this.#handlerNs = handlerNs;
    this.#seen = new Int32Array(tasks);
    this.#spinsUntil = new Float64Array(tasks);
  }

  /** The task flushes. What came before is paid already: this is an event of its own. */
  send(task: number, now: number): void {
    if (this.count === this.#times.length) {
      const larger = new Float64Array(this.count * 2);
      larger.set(this.#times);
      this.#times = larger;
    }
    this.#times[this.count] = now;
    this.count += 1;
    this.#seen[task] = this.count;
  }

  /** There were flushes since the task's last event. */
  hasNews(task: number): boolean {
    return this.#seen[task] !== this.count;
  }

  /** The task comes onto a CPU: flushes before it do not concern it. */
  skip(task: number): void {
    this.#seen[task] = this.count;
  }

  /** The task spins until then. */
  spins(task: number, until: number): void {
    this.#spinsUntil[task] = until;
  }

  /** What interrupts have taken from the task since its last event; nothing while it spun. */
  owedNs(task: number): number {
    const seen = this.#seen[task]!;
    const free = this.#spinsUntil[task]!;
    const times = this.#times;
    let first = this.count;
    while (first > seen && times[first - 1]! > free) first -= 1;
    this.#seen[task] = this.count;
    return (this.count - first) * this.#handlerNs;
  }
}
