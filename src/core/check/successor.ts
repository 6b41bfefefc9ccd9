import { KIND } from "../kernel/machine/instruction.ts";
import { BLOCKED } from "../kernel/machine.ts";
import { ENTRY_IS_TABLE } from "../kernel/operation.ts";
import type { Instance } from "./instance.ts";

/**
 * The steps that can be taken from a state: one for each CPU, and where they exist one for each
 * pending IPI (`cpus + sender * cpus + target`) and each store buffer (`cpus + cpus² + cpu`).
 *
 * Steps are merged with their neighbours (Lipton): a release joins the step before it, since it
 * can always be taken earlier; an acquire joins the step after it, unless that can block. No law
 * looks at a lock, so no state in between can break one. Where nothing collapses and each CPU has
 * a page of its own (`tablesStay`), two reads are merged too: a table that is seen stays, unless a
 * law is broken, so that the look-up could be done later; and nobody else stores the own PTE, so
 * that its read could be done earlier or later.
 */
export class Successors {
  /** The state a step is taken on, as words and as bytes. */
  readonly words: Uint32Array;
  readonly bytes: Uint8Array;
  /** Laws broken by the last `take`. */
  broken = 0;
  /** Choices to try: `take(0)` to `take(choices - 1)`. */
  readonly choices: number;
  /** Kernel steps of the last `take`, as nodes. */
  readonly nodesTaken: number[] = [];
  recordNodes = false;
  /** By node: it was executed. */
  executed = new Uint8Array(1024);
  /** By lock number: some CPU had to wait for it. */
  readonly contended: Uint8Array;

  readonly #instance: Instance;
  readonly #merge: boolean;
  readonly #cpus: number;
  readonly #bufferSize: number;
  readonly #scratch: Uint8Array;

  constructor(instance: Instance, merge: boolean) {
    this.#instance = instance;
    // A store buffer makes an unlock wait or not: nothing is merged then.
    this.#merge = merge && instance.setup.storeBuffer === 0;
    const { machine, setup } = instance;
    const buffer = new ArrayBuffer(machine.bytes);
    this.words = new Uint32Array(buffer);
    this.bytes = new Uint8Array(buffer);
    this.#scratch = new Uint8Array(machine.bytes);
    this.#cpus = setup.programs.length;
    this.#bufferSize = setup.storeBuffer;
    const ipis = setup.flush === "ipi" ? this.#cpus * this.#cpus : 0;
    this.choices =
      this.#bufferSize > 0 ? this.#cpus + this.#cpus * this.#cpus + this.#cpus : this.#cpus + ipis;
    this.contended = new Uint8Array(machine.lockNames().length);
  }

  /** True when every CPU has ended its program. */
  allDone(): boolean {
    const { machine, automaton } = this.#instance;
    for (let cpu = 0; cpu < this.#cpus; cpu += 1) {
      if (automaton.kind[machine.node(this.bytes, cpu)] !== KIND.done) return false;
      if (this.#bufferSize > 0 && machine.bufferedStore(this.bytes, cpu, 0) !== 0) return false;
    }
    return true;
  }

  /** The CPU that a choice is a step of; an IPI is a step of its target. */
  cpuOf(choice: number): number {
    return choice < this.#cpus ? choice : (choice - this.#cpus) % this.#cpus;
  }

  /** Takes a step in place; false (and the state unchanged) when it cannot be taken. */
  take(choice: number): boolean {
    this.broken = 0;
    if (this.recordNodes) this.nodesTaken.length = 0;
    if (choice < this.#cpus) return this.#run(choice);
    const other = choice - this.#cpus;
    if (other < this.#cpus * this.#cpus) {
      return this.#acknowledge(Math.floor(other / this.#cpus), other % this.#cpus);
    }
    return this.#drain(other - this.#cpus * this.#cpus);
  }

  #run(cpu: number): boolean {
    const { machine } = this.#instance;
    const node = machine.node(this.bytes, cpu);
    let to = this.#step(cpu, node);
    if (to < 0) return false;
    if (this.#merge) to = this.#mergeOn(cpu, node, to);
    machine.setNode(this.bytes, cpu, to);
    return true;
  }

  /** Goes on from `to` as long as the steps can be one with what was done from `node` on. */
  #mergeOn(cpu: number, node: number, to: number): number {
    const { automaton } = this.#instance;
    let last = node;
    let here = to;
    // Until a step that others can see, steps that could as well be done later.
    let delayable = true;
    for (;;) {
      const kind = automaton.kind[here]!;
      delayable = delayable && this.#canWait(automaton.kind[last]!);
      const joins = this.#canHurry(kind) || (delayable && neverBlocks(kind));
      if (this.broken !== 0 || !joins) return here;
      last = here;
      here = this.#step(cpu, here);
    }
  }

  /** A step that may be done at any later time with the same effect, as far as it is done. */
  #canWait(kind: number): boolean {
    if (kind === KIND.lock || kind === KIND.lockShared) return true;
    if (kind === KIND.readPte) return this.#instance.tablesStay;
    const read = kind === KIND.readPmd || kind === KIND.readPud;
    return read && this.#instance.tablesStay && this.#lastResult === ENTRY_IS_TABLE;
  }

  /** A step that could have been done at once after the one before. */
  #canHurry(kind: number): boolean {
    if (kind === KIND.unlock || kind === KIND.unlockShared || kind === KIND.return) return true;
    return kind === KIND.readPte && this.#instance.tablesStay;
  }

  #lastResult = 0;

  /** One operation → the node after it, or -1 when it is blocked. */
  #step(cpu: number, node: number): number {
    const { machine, automaton } = this.#instance;
    const kind = automaton.kind[node]!;
    if (kind === KIND.done) return -1;
    const result =
      this.#bufferSize > 0
        ? this.#applyBuffered(cpu, node, kind)
        : machine.apply(
            this.bytes,
            cpu,
            kind,
            automaton.a[node]!,
            automaton.b[node]!,
            automaton.c[node]!,
          );
    if (result === BLOCKED) {
      if (kind === KIND.lock || kind === KIND.lockShared) this.contended[automaton.a[node]!] = 1;
      return -1;
    }
    this.#lastResult = result;
    if (node >= this.executed.length) this.#growExecuted(node);
    this.executed[node] = 1;
    if (this.recordNodes) this.nodesTaken.push(node);
    const to = automaton.next(node, result);
    this.broken |= machine.broken | automaton.nodes[to]!.broken;
    return to;
  }

  #acknowledge(sender: number, target: number): boolean {
    const { machine, automaton } = this.#instance;
    const node = machine.node(this.bytes, sender);
    if (automaton.kind[node] !== KIND.flushWait) return false;
    if (automaton.nodes[machine.node(this.bytes, target)]!.irqsOff) return false;
    if (!machine.acknowledge(this.bytes, sender, target, automaton.a[node]!)) return false;
    this.broken |= machine.broken;
    return true;
  }

  // x86-TSO: a store goes into the CPU's FIFO and from there to memory at any later time. The CPU's
  // own look-ups see it at once (page walks do not). An unlock is a plain store too. LOCK-prefixed
  // operations, IPIs and the RMP instructions wait until the FIFO is empty.
  #applyBuffered(cpu: number, node: number, kind: number): number {
    const { machine, automaton } = this.#instance;
    const a = automaton.a[node]!;
    const b = automaton.b[node]!;
    const c = automaton.c[node]!;
    const pending = this.#pending(cpu);
    if (isStore(kind)) {
      if (pending === this.#bufferSize) return BLOCKED;
      machine.setBufferedStore(this.bytes, cpu, pending, node + 1);
      return 0;
    }
    if (pending === 0) return machine.apply(this.bytes, cpu, kind, a, b, c);
    if (!isLoad(kind)) return BLOCKED;
    this.#scratch.set(this.bytes);
    for (let i = 0; i < pending; i += 1) {
      const store = machine.bufferedStore(this.bytes, cpu, i) - 1;
      machine.apply(
        this.#scratch,
        cpu,
        automaton.kind[store]!,
        automaton.a[store]!,
        automaton.b[store]!,
        automaton.c[store]!,
      );
    }
    const result = machine.apply(this.#scratch, cpu, kind, a, b, c);
    if (result !== BLOCKED) machine.copyPointer(this.#scratch, this.bytes, cpu);
    return result;
  }

  #pending(cpu: number): number {
    const { machine } = this.#instance;
    let pending = 0;
    while (pending < this.#bufferSize && machine.bufferedStore(this.bytes, cpu, pending) !== 0) {
      pending += 1;
    }
    return pending;
  }

  #drain(cpu: number): boolean {
    const { machine, automaton } = this.#instance;
    const pending = this.#pending(cpu);
    if (pending === 0) return false;
    const store = machine.bufferedStore(this.bytes, cpu, 0) - 1;
    for (let i = 0; i < pending; i += 1) {
      const next = i + 1 < pending ? machine.bufferedStore(this.bytes, cpu, i + 1) : 0;
      machine.setBufferedStore(this.bytes, cpu, i, next);
    }
    machine.apply(
      this.bytes,
      cpu,
      automaton.kind[store]!,
      automaton.a[store]!,
      automaton.b[store]!,
      automaton.c[store]!,
    );
    if (this.recordNodes) this.nodesTaken.push(store);
    this.broken |= machine.broken;
    return true;
  }

  #growExecuted(node: number): void {
    const larger = new Uint8Array(node * 2);
    larger.set(this.executed);
    this.executed = larger;
  }
}

function neverBlocks(kind: number): boolean {
  return (
    kind !== KIND.lock &&
    kind !== KIND.lockShared &&
    kind !== KIND.awaitUnmarked &&
    kind !== KIND.flushWait &&
    kind !== KIND.done
  );
}

function isStore(kind: number): boolean {
  return (
    kind === KIND.writePte ||
    kind === KIND.writePmd ||
    kind === KIND.installPmdTable ||
    kind === KIND.installPudTable ||
    kind === KIND.clearMark ||
    kind === KIND.unlock
  );
}

function isLoad(kind: number): boolean {
  return (
    kind === KIND.readPmd ||
    kind === KIND.readPud ||
    kind === KIND.readPte ||
    kind === KIND.scanPtes ||
    kind === KIND.awaitUnmarked
  );
}
