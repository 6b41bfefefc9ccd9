import { assert } from "../assert.ts";
import { DEADLOCK, NO_PROGRESS } from "../kernel/law.ts";
import type { Instance } from "./instance.ts";
import { writeInitial } from "./instance.ts";
import { StateStore } from "./state-store.ts";
import { Successors } from "./successor.ts";

export interface ExploreOptions {
  /** Merge lock steps with their neighbours; see Successors. */
  readonly merge: boolean;
  /** Treat states that differ only in which CPU is which as one. */
  readonly symmetry: boolean;
  /** `Law.bit`s that end the search; the others are counted. */
  readonly laws: number;
  /** Go on after a broken law, leaving out what comes behind it: it means nothing. */
  readonly pastViolations: boolean;
  readonly statesMax: number;
  readonly memoryBytes: number;
  /** Asked every few thousand states; true ends the search. */
  readonly shouldStop: () => boolean;
  readonly onProgress: (states: number, depth: number) => void;
  /** Look for states from which not every CPU can finish, up to this many states. */
  readonly progressStatesMax: number;
}

export interface Exploration {
  readonly complete: boolean;
  /** Why the search ended early. */
  readonly stopped?: "states" | "memory" | "time";
  readonly states: number;
  readonly transitions: number;
  /** Longest shortest way to a state, in (merged) steps. */
  readonly depth: number;
  /** Sum over stored states of how many states each stands for: the count without symmetry. */
  readonly orbits: number;
  /** Laws of `laws` that a step broke; the search ended there unless `pastViolations`. */
  readonly broken: number;
  /** Other laws that some step broke. */
  readonly noted: number;
  /** Choices from the first state to the first broken law; empty when none broke. */
  readonly schedule: readonly number[];
  /** True: every CPU can finish from every state. Undefined: not looked at. */
  readonly progress?: boolean;
  readonly bytes: number;
  readonly executed: Uint8Array;
  readonly contended: Uint8Array;
}

/**
 * Visits every state that any order of the CPUs' steps can reach, breadth first, so that the first
 * broken law is reached by a shortest way.
 */
export function explore(instance: Instance, options: ExploreOptions): Exploration {
  const search = new Search(instance, options);
  return search.run();
}

class Search {
  readonly #instance: Instance;
  readonly #options: ExploreOptions;
  readonly #next: Successors;
  readonly #store: StateStore;
  readonly #current: Uint32Array;
  readonly #words: number;
  readonly #blockWords: number;
  readonly #firstBlock: number;
  #transitions = 0;
  #noted = 0;
  #orbits = 0;
  #scratch: Uint32Array;

  constructor(instance: Instance, options: ExploreOptions) {
    this.#instance = instance;
    this.#options = options;
    const { machine } = instance;
    this.#next = new Successors(instance, options.merge);
    this.#words = machine.bytes / 4;
    this.#store = new StateStore(this.#words);
    this.#current = new Uint32Array(this.#words);
    this.#scratch = new Uint32Array(this.#words);
    this.#blockWords = machine.blockBytes / 4;
    this.#firstBlock = machine.headerBytes / 4;
  }

  run(): Exploration {
    const next = this.#next;
    const store = this.#store;
    writeInitial(this.#instance, next.bytes);
    if (this.#options.symmetry) this.#canonicalise(next.words);
    store.add(next.words, 0);
    this.#orbits += this.#orbitSize(next.words);
    let depth = 0;
    let levelEnd = 1;
    for (let index = 0; index < store.count; index += 1) {
      if (index === levelEnd) {
        depth += 1;
        levelEnd = store.count;
      }
      if ((index & 4095) === 0) {
        const stopped = this.#limit(index, depth);
        if (stopped) return this.#result({ depth, stopped });
      }
      const broken = this.#expand(index);
      if (broken && !this.#options.pastViolations) {
        return this.#result({ depth, broken, at: index });
      }
    }
    if (store.count <= this.#options.progressStatesMax) {
      const stuck = this.#firstStuck();
      if (stuck >= 0) {
        return this.#result({ depth, broken: NO_PROGRESS.bit, at: stuck, progress: false });
      }
      return this.#result({ depth, progress: true });
    }
    return this.#result({ depth });
  }

  /** All steps from a state → broken laws among those that end the search, and DEADLOCK. */
  #expand(index: number): number {
    const next = this.#next;
    const { laws, symmetry } = this.#options;
    this.#store.load(index, this.#current);
    let moved = false;
    // A step that cannot be taken leaves the state as it was.
    let fresh = false;
    for (let choice = 0; choice < next.choices; choice += 1) {
      if (symmetry && this.#sameAsCpuBefore(choice)) continue;
      if (!fresh) copyWords(this.#current, next.words);
      fresh = !next.take(choice);
      if (fresh) continue;
      moved = true;
      this.#transitions += 1;
      if (next.broken !== 0) {
        const broken = next.broken & laws;
        this.#noted |= next.broken & ~laws;
        if (broken) {
          this.#brokenSeen |= broken;
          if (!this.#options.pastViolations) return broken;
          continue;
        }
      }
      if (symmetry) this.#canonicalise(next.words);
      const before = this.#store.count;
      this.#store.add(next.words, index);
      if (this.#store.count !== before && symmetry) this.#orbits += this.#orbitSize(next.words);
    }
    if (moved) return 0;
    next.words.set(this.#current);
    if (next.allDone()) return 0;
    this.#brokenSeen |= DEADLOCK.bit & laws;
    return DEADLOCK.bit & laws;
  }

  #brokenSeen = 0;

  #limit(index: number, depth: number): "states" | "memory" | "time" | undefined {
    const { statesMax, memoryBytes, shouldStop, onProgress } = this.#options;
    if (this.#store.count > statesMax) return "states";
    if (this.#store.bytesNeeded > memoryBytes) return "memory";
    if (index > 0) onProgress(this.#store.count, depth);
    return shouldStop() ? "time" : undefined;
  }

  #result(end: {
    depth: number;
    stopped?: "states" | "memory" | "time";
    broken?: number;
    at?: number;
    progress?: boolean;
  }): Exploration {
    const { symmetry } = this.#options;
    return {
      complete: end.stopped === undefined && end.broken === undefined,
      ...(end.stopped === undefined ? {} : { stopped: end.stopped }),
      states: this.#store.count,
      transitions: this.#transitions,
      depth: end.depth,
      orbits: symmetry ? this.#orbits : this.#store.count,
      broken: end.broken ?? this.#brokenSeen,
      noted: this.#noted,
      schedule: end.at === undefined ? [] : this.#scheduleTo(end.at),
      ...(end.progress === undefined ? {} : { progress: end.progress }),
      bytes: this.#store.bytes,
      executed: this.#next.executed,
      contended: this.#next.contended,
    };
  }

  /**
   * From stored states back to choices. Stored states may have their CPUs in another order than the
   * run had, so the run is made again, each time with a choice that leads to the stored next one.
   */
  #scheduleTo(last: number): readonly number[] {
    const way: number[] = [];
    for (let index = last; index !== 0; index = this.#store.from(index)) way.unshift(index);
    const next = this.#next;
    const here = new Uint32Array(this.#words);
    const there = new Uint32Array(this.#words);
    writeInitial(this.#instance, next.bytes);
    here.set(next.words);
    const schedule: number[] = [];
    for (const index of way) {
      this.#store.load(index, there);
      const choice = this.#choiceTo(here, there);
      assert(choice >= 0, "a stored state is reached from the one it was stored under");
      schedule.push(choice);
      here.set(this.#scratch);
    }
    next.words.set(here);
    const final = this.#brokenChoice(here);
    if (final >= 0) schedule.push(final);
    return schedule;
  }

  /** The choice that leads from `here` to a state stored as `there`; the state is left in scratch. */
  #choiceTo(here: Uint32Array, there: Uint32Array): number {
    const next = this.#next;
    for (let choice = 0; choice < next.choices; choice += 1) {
      next.words.set(here);
      if (!next.take(choice)) continue;
      this.#scratch.set(next.words);
      if (this.#options.symmetry) this.#canonicalise(next.words);
      if (next.words.every((word, i) => word === there[i])) return choice;
    }
    return -1;
  }

  #brokenChoice(here: Uint32Array): number {
    const next = this.#next;
    for (let choice = 0; choice < next.choices; choice += 1) {
      next.words.set(here);
      if (next.take(choice) && next.broken & this.#options.laws) return choice;
    }
    return -1;
  }

  /** First state from which the end cannot be reached, or -1. Backwards over all states. */
  #firstStuck(): number {
    const store = this.#store;
    const next = this.#next;
    const finishes = new Uint8Array(store.count);
    for (let changed = true; changed; ) {
      changed = false;
      for (let index = store.count - 1; index >= 0; index -= 1) {
        if (finishes[index]) continue;
        store.load(index, this.#current);
        next.words.set(this.#current);
        let can = next.allDone();
        for (let choice = 0; choice < next.choices && !can; choice += 1) {
          next.words.set(this.#current);
          if (!next.take(choice)) continue;
          if (this.#options.symmetry) this.#canonicalise(next.words);
          const to = store.find(next.words);
          can = to >= 0 && finishes[to] === 1;
        }
        if (can) {
          finishes[index] = 1;
          changed = true;
        }
      }
    }
    return finishes.indexOf(0);
  }

  /** In a sorted state, CPUs of one class with equal blocks take equal steps: one is enough. */
  #sameAsCpuBefore(choice: number): boolean {
    for (const { first, count } of this.#instance.classes) {
      if (choice <= first || choice >= first + count) continue;
      const at = this.#firstBlock + choice * this.#blockWords;
      for (let i = 0; i < this.#blockWords; i += 1) {
        if (this.#current[at + i] !== this.#current[at + i - this.#blockWords]) return false;
      }
      return true;
    }
    return false;
  }

  /** Sorts the blocks of each class: the least of all states that differ in CPU numbers only. */
  #canonicalise(state: Uint32Array): void {
    const size = this.#blockWords;
    for (const { first, count } of this.#instance.classes) {
      const base = this.#firstBlock + first * size;
      for (let i = 1; i < count; i += 1) {
        for (
          let j = i;
          j > 0 && this.#less(state, base + j * size, base + (j - 1) * size);
          j -= 1
        ) {
          for (let word = 0; word < size; word += 1) {
            const at = base + j * size + word;
            const higher = state[at]!;
            state[at] = state[at - size]!;
            state[at - size] = higher;
          }
        }
      }
    }
  }

  #less(state: Uint32Array, one: number, other: number): boolean {
    for (let i = 0; i < this.#blockWords; i += 1) {
      const a = state[one + i]!;
      const b = state[other + i]!;
      if (a !== b) return a < b;
    }
    return false;
  }

  /** How many states differ from a sorted one in CPU numbers only: n! / (equal ones)!. */
  #orbitSize(state: Uint32Array): number {
    let orbit = 1;
    for (const { first, count } of this.#instance.classes) {
      let equal = 1;
      for (let i = 1; i < count; i += 1) {
        const at = this.#firstBlock + (first + i) * this.#blockWords;
        equal = this.#less(state, at - this.#blockWords, at) ? 1 : equal + 1;
        orbit = (orbit * (i + 1)) / equal;
      }
    }
    return orbit;
  }
}

/** For a handful of words faster than `set`. */
function copyWords(from: Uint32Array, to: Uint32Array): void {
  for (let i = 0; i < from.length; i += 1) to[i] = from[i]!;
}
