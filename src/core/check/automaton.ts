import { assert } from "../assert.ts";
import type { Lock } from "../kernel/design.ts";
import { IRQS_OFF_FLUSH, LOCK_RULE, PAGE_RULE } from "../kernel/law.ts";
import { type Instruction, KIND } from "../kernel/machine/instruction.ts";
import type { Machine } from "../kernel/machine.ts";
import { labelOf, type Operation } from "../kernel/operation.ts";
import { program } from "../kernel/path/program.ts";
import type { Kernel } from "../kernel/path/section.ts";
import type { Request } from "../kernel/request.ts";

/**
 * Programs as tables of thread states, unfolded while the search asks for them. A node is "about to
 * do this operation, with these live values, these locks held"; an edge is (node, result) → node.
 * No generator is copied: a missing edge starts a fresh one and feeds it the node's own history.
 * A few dozen nodes stand for millions of states, so the cost vanishes.
 */
export interface ThreadNode {
  readonly id: number;
  readonly program: number;
  /** The operation the thread is about to do; undefined: the program has ended. */
  readonly operation: Operation | undefined;
  readonly instruction: Instruction;
  /** What it does on the way from the node before: allocation and other private steps. */
  readonly before: readonly Operation[];
  /** Results that lead here from the program's start. */
  readonly history: readonly number[];
  readonly held: readonly string[];
  readonly irqsOff: boolean;
  /** Laws broken by getting here, whatever the others do. */
  readonly broken: number;
  /** Requests finished before this node. */
  readonly returned: number;
}

/** Results are small integers: attributes, entry kinds, RMP codes. */
const RESULTS = 32;

export class Automaton {
  readonly nodes: ThreadNode[] = [];
  /** edge[node * RESULTS + result], -1 where not unfolded yet. */
  edges = new Int32Array(0);
  /** Instructions as columns, for the search's inner loop. */
  kind = new Uint8Array(0);
  a = new Uint8Array(0);
  b = new Uint8Array(0);
  c = new Uint8Array(0);

  readonly #machine: Machine;
  readonly #kernel: Kernel;
  readonly #programs: readonly (readonly Request[])[];
  readonly #idByKey = new Map<string, number>();
  readonly #mergeOnLive: boolean;
  readonly #omit: readonly string[];

  /**
   * @param options.mergeOnLive  false: a node is its whole history (a tree). Slower, and independent
   *   of what the paths declare as live: the verdict must be the same.
   * @param options.omit  labels of steps that are not done
   */
  constructor(
    machine: Machine,
    kernel: Kernel,
    programs: readonly (readonly Request[])[],
    options: { readonly mergeOnLive: boolean; readonly omit: readonly string[] },
  ) {
    this.#machine = machine;
    this.#kernel = kernel;
    this.#programs = programs;
    this.#mergeOnLive = options.mergeOnLive;
    this.#omit = options.omit;
  }

  start(programIndex: number): number {
    return this.#nodeAfter(programIndex, []);
  }

  /** The node after `node` when its operation answered `result`. */
  next(node: number, result: number): number {
    assert(result >= 0 && result < RESULTS, `result ${result} fits the table`);
    const at = node * RESULTS + result;
    const known = this.edges[at]!;
    if (known >= 0) return known;
    const from = this.nodes[node]!;
    const to = this.#nodeAfter(from.program, [...from.history, result]);
    this.edges[at] = to;
    return to;
  }

  /** All edges known so far. */
  knownEdges(): { from: number; result: number; to: number }[] {
    const found: { from: number; result: number; to: number }[] = [];
    for (let at = 0; at < this.nodes.length * RESULTS; at += 1) {
      const to = this.edges[at]!;
      if (to >= 0) found.push({ from: Math.floor(at / RESULTS), result: at % RESULTS, to });
    }
    return found;
  }

  #nodeAfter(programIndex: number, history: readonly number[]): number {
    const run = this.#run(programIndex, history);
    const key = this.#mergeOnLive
      ? `${programIndex} ${run.returned} ${run.held.join(",")} ${run.page} ${run.broken} ${keyOf(run.operation)}`
      : `${programIndex} ${history.join(",")}`;
    const known = this.#idByKey.get(key);
    if (known !== undefined) return known;
    const id = this.nodes.length;
    assert(id < 0xffff, "a program unfolds to less than 65,535 thread states");
    this.#idByKey.set(key, id);
    const instruction =
      run.operation === undefined
        ? { kind: KIND.done, a: 0, b: 0, c: 0 }
        : this.#machine.compile(run.operation);
    this.nodes.push({ id, program: programIndex, instruction, history, ...run });
    this.#grow(id + 1);
    this.kind[id] = instruction.kind;
    this.a[id] = instruction.a;
    this.b[id] = instruction.b;
    this.c[id] = instruction.c;
    return id;
  }

  /** Runs a fresh generator through `history`, keeping book of locks and pages on the way. */
  #run(programIndex: number, history: readonly number[]) {
    const path = program(this.#kernel, this.#programs[programIndex]!, this.#machine.setup.pages);
    const book = new Book(this.#kernel.design.locks);
    let before: Operation[] = [];
    let used = 0;
    let step = path.next(0);
    for (;;) {
      if (step.done) {
        book.end();
        return { operation: undefined, before, ...book.summary() };
      }
      const operation = step.value;
      if (this.#omit.length > 0 && this.#omit.includes(labelOf(operation))) {
        step = path.next(0);
        continue;
      }
      if (this.#machine.compile(operation).kind === KIND.local) {
        before.push(operation);
        book.after(operation);
        step = path.next(0);
        continue;
      }
      if (used === history.length) {
        book.at(operation);
        return { operation, before, ...book.summary() };
      }
      book.at(operation);
      book.after(operation);
      before = [];
      step = path.next(history[used]!);
      used += 1;
    }
  }

  #grow(nodes: number): void {
    if (this.kind.length >= nodes) return;
    const size = Math.max(64, nodes * 2);
    const edges = new Int32Array(size * RESULTS).fill(-1);
    edges.set(this.edges);
    this.edges = edges;
    const larger = (old: Uint8Array<ArrayBuffer>) => {
      const copy = new Uint8Array(size);
      copy.set(old);
      return copy;
    };
    this.kind = larger(this.kind);
    this.a = larger(this.a);
    this.b = larger(this.b);
    this.c = larger(this.c);
  }
}

/** What a thread holds, by the operations it has done: locks, and a page-table page of its own. */
class Book {
  readonly #locks: Readonly<Record<string, Lock>>;
  #held: string[] = [];
  #page = 0;
  #broken = 0;
  #returned = 0;
  #waitsIrqsOff = false;

  constructor(locks: Readonly<Record<string, Lock>>) {
    this.#locks = locks;
  }

  /** The thread stands before the operation. */
  at(operation: Operation): void {
    this.#waitsIrqsOff = operation.op === "lock" && this.#locks[operation.lock]!.irqsOff;
    if (operation.op === "lock" && this.#sleeps(operation.lock) && this.#spinning()) {
      this.#broken |= LOCK_RULE.bit;
    }
    // smp_call_function with interrupts off can wait for a CPU that waits for us.
    if (operation.op === "flushSend" && this.#irqsOff()) this.#broken |= IRQS_OFF_FLUSH.bit;
    if (operation.op === "return" && this.#held.length > 0) this.#broken |= LOCK_RULE.bit;
  }

  /** The thread has done it. */
  after(operation: Operation): void {
    switch (operation.op) {
      case "lock":
        // A CPU that takes a lock twice waits for itself.
        if (this.#held.includes(operation.lock)) this.#broken |= LOCK_RULE.bit;
        else this.#held.push(operation.lock);
        break;
      case "unlock":
        this.#held = this.#held.filter((name) => name !== operation.lock);
        break;
      case "allocPage":
        if (operation.maySleep && this.#spinning()) this.#broken |= LOCK_RULE.bit;
        // A second one while the first is unused: it leaks.
        if (this.#page > 0) this.#broken |= PAGE_RULE.bit;
        this.#page = 1;
        break;
      case "freePage":
      case "installTable":
        this.#page -= 1;
        if (this.#page < 0) this.#broken |= PAGE_RULE.bit;
        break;
      case "return":
        this.#returned += 1;
        if (this.#page !== 0) this.#broken |= PAGE_RULE.bit;
        break;
      default:
        break;
    }
  }

  end(): void {
    if (this.#page !== 0) this.#broken |= PAGE_RULE.bit;
  }

  summary() {
    return {
      held: [...this.#held],
      page: this.#page,
      broken: this.#broken,
      returned: this.#returned,
      irqsOff: this.#waitsIrqsOff || this.#irqsOff(),
    };
  }

  #sleeps(name: string): boolean {
    const { kind } = this.#locks[name]!;
    return kind === "mutex" || kind === "rwsem";
  }

  #spinning(): boolean {
    return this.#held.some((name) => !this.#sleeps(name));
  }

  #irqsOff(): boolean {
    return this.#held.some((name) => this.#locks[name]!.irqsOff);
  }
}

/** The operation with its arguments and its live values: equal keys must continue alike. */
function keyOf(operation: Operation | undefined): string {
  return operation === undefined ? "end" : `${labelOf(operation)} ${JSON.stringify(operation)}`;
}
