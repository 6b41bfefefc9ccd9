import { type LockResult, PSP_QUEUE } from "./result.ts";
import type { StormTasks } from "./storm-tasks.ts";

/** The secure processor: one command at a time, in the order in which they are asked for. */
export class Psp {
  commands = 0;
  waitNs = 0;
  /** What the last command had waited for others. */
  waitedNs = 0;
  readonly #vmOf: Int32Array;
  readonly #waitNsOfTask: Float64Array;
  #freeNs = 0;
  #contended = 0;
  #waitNsMax = 0;
  #waitNsOfVms = 0;
  #busyNs = 0;

  constructor(tasks: StormTasks) {
    this.#vmOf = tasks.vmOf;
    this.#waitNsOfTask = new Float64Array(tasks.count);
  }

  /** A command that takes `ns` → when it is done; its caller sleeps until then. */
  command(task: number, now: number, ns: number): number {
    const begin = Math.max(now, this.#freeNs);
    const wait = begin - now;
    this.#freeNs = begin + ns;
    this.commands += 1;
    this.#busyNs += ns;
    this.waitedNs = wait;
    if (wait > 0) {
      this.#contended += 1;
      this.waitNs += wait;
      this.#waitNsMax = Math.max(this.#waitNsMax, wait);
      this.#waitNsOfTask[task]! += wait;
      if (this.#vmOf[task]! >= 0) this.#waitNsOfVms += wait;
    }
    return begin + ns;
  }

  waitNsOf(task: number): number {
    return this.#waitNsOfTask[task]!;
  }

  /** @param bootNs  the VMs' boot times, summed */
  result(makespanNs: number, bootNs: number): LockResult {
    return {
      name: PSP_QUEUE,
      acquisitions: this.commands,
      contended: this.#contended,
      waitNsTotal: this.waitNs,
      waitNsMax: this.#waitNsMax,
      waitNsOfVms: this.#waitNsOfVms,
      holdNsTotal: this.#busyNs,
      utilisation: Math.min(1, this.#busyNs / makespanNs),
      shareOfBoot: this.#waitNsOfVms / bootNs,
    };
  }
}
