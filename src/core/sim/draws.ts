import type { Random } from "../random.ts";
import { stream } from "./chance.ts";
import { exponentialOf } from "./exact-math.ts";
import type { StormSetup } from "./setup.ts";

/**
 * How long holds, and the work between them, take this time: exponential with the given mean, or
 * just that mean. A stream for each task and purpose: two designs meet the same chance.
 */
export class Draws {
  readonly exponential: boolean;
  readonly #hold: readonly Random[];
  readonly #think: readonly Random[];
  readonly #factor: Float64Array;

  constructor({ seed, spread }: StormSetup, tasks: number) {
    this.exponential = spread === "exponential";
    this.#hold = Array.from({ length: tasks }, (_, t) => stream(seed, t, "hold"));
    this.#think = Array.from({ length: tasks }, (_, t) => stream(seed, t, "think"));
    this.#factor = new Float64Array(tasks).fill(1);
  }

  hold(task: number, ns: number): number {
    return this.exponential ? Math.round(ns * exponentialOf(this.#hold[task]!.u32())) : ns;
  }

  think(task: number, ns: number): number {
    if (!this.exponential || ns === 0) return ns;
    return Math.round(ns * exponentialOf(this.#think[task]!.u32()));
  }

  /**
   * A step of work. One factor for a whole stretch of them, so that it is the same whether it is one
   * step or many.
   * @param begins  the step is the first of its stretch
   * @param holds  the task holds a lock that spins
   */
  work(task: number, ns: number, begins: boolean, holds: boolean): number {
    if (!this.exponential) return ns;
    if (begins) {
      const from = holds ? this.#hold : this.#think;
      this.#factor[task] = exponentialOf(from[task]!.u32());
    }
    return Math.round(ns * this.#factor[task]!);
  }
}
