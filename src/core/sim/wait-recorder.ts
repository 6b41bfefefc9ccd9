import { type EventTable, LOCK_FLAG, type Trace } from "../event/schema.ts";
import { stackBuilder } from "../event/stack-builder.ts";
import { stringTable } from "../event/strings.ts";
import { PSP_QUEUE } from "./result.ts";
import type { WaitSeen } from "./setup.ts";
import type { StormLock } from "./storm-path.ts";

/** Keeps the waits of a storm as the columns of a trace. */
export class WaitRecorder {
  length = 0;
  readonly #locks: readonly StormLock[];
  readonly #strings = stringTable();
  readonly #stacks = stackBuilder();
  /** By the list itself: a program gives the same one each time. */
  readonly #stackOf = new Map<readonly string[], number>();
  /** By instance. */
  readonly #lockOf = new Map<number, number>();
  readonly #addresses: bigint[] = [];
  readonly #symbols: number[] = [];
  #t = new Float64Array(1024);
  #waitNs = new Float64Array(1024);
  /** cpu, task, lock, stack, flags of each row. */
  #numbers = new Int32Array(1024 * 5);

  constructor(locks: readonly StormLock[]) {
    this.#locks = locks;
  }

  add(wait: WaitSeen): void {
    if (this.length === this.#t.length) this.#grow();
    this.#t[this.length] = wait.requestNs;
    this.#waitNs[this.length] = wait.waitNs;
    const at = this.length * 5;
    this.#numbers[at] = wait.cpu;
    this.#numbers[at + 1] = wait.task;
    this.#numbers[at + 2] = this.#lock(wait);
    this.#numbers[at + 3] = this.#stack(wait.stack);
    this.#numbers[at + 4] = this.#flags(wait);
    this.length += 1;
  }

  /**
   * Rows in the order in which the waits began; threads are numbered from 1.
   * @param processOf  by task
   */
  tables(processOf: Int32Array): Pick<Trace, "strings" | "stacks" | "locks" | "tables"> {
    return {
      strings: this.#strings.list,
      stacks: this.#stacks.build(),
      locks: {
        addresses: BigUint64Array.from(this.#addresses),
        symbols: Int32Array.from(this.#symbols),
      },
      tables: { lockWait: this.#rows(processOf) },
    };
  }

  #rows(processOf: Int32Array): EventTable<"lockWait"> {
    const { length } = this;
    const order = Uint32Array.from({ length }, (_, i) => i).sort(
      (a, b) => this.#t[a]! - this.#t[b]! || a - b,
    );
    const ids = (value: (at: number) => number) => Int32Array.from(order, (i) => value(i * 5));
    return {
      length,
      t: Float64Array.from(order, (i) => this.#t[i]!),
      waitNs: Float64Array.from(order, (i) => this.#waitNs[i]!),
      observerNs: new Float64Array(length),
      cpu: ids((at) => this.#numbers[at]!),
      tid: ids((at) => this.#numbers[at + 1]! + 1),
      process: ids((at) => processOf[this.#numbers[at + 1]!]!),
      lock: ids((at) => this.#numbers[at + 2]!),
      stack: ids((at) => this.#numbers[at + 3]!),
      flags: Uint32Array.from(order, (i) => this.#numbers[i * 5 + 4]!),
    };
  }

  #stack(stack: readonly string[]): number {
    if (stack.length === 0) return -1;
    let known = this.#stackOf.get(stack);
    if (known === undefined) {
      const frames = stack.map((name) => this.#strings.intern(name));
      known = this.#stacks.intern(frames, frames.length);
      this.#stackOf.set(stack, known);
    }
    return known;
  }

  /** Locks lie one after the other, a cache line each; none at address 0. */
  #lock({ lock, instance }: WaitSeen): number {
    let known = this.#lockOf.get(instance);
    if (known === undefined) {
      known = this.#addresses.push(64n * BigInt(instance + 1)) - 1;
      this.#symbols.push(this.#strings.intern(this.#locks[lock]?.name ?? PSP_QUEUE));
      this.#lockOf.set(instance, known);
    }
    return known;
  }

  /** As the tracepoints of Linux set them. Source: kernel/locking/, v6.12. */
  #flags({ lock, shared }: WaitSeen): number {
    const side = shared ? LOCK_FLAG.read : LOCK_FLAG.write;
    switch (this.#locks[lock]?.kind) {
      case "spinlock":
        return LOCK_FLAG.spin;
      case "rwlock":
        return LOCK_FLAG.spin | side;
      case "rwsem":
        return side;
      default:
        return LOCK_FLAG.mutex;
    }
  }

  #grow(): void {
    const wider = <T extends Float64Array | Int32Array>(old: T, column: T): T => {
      column.set(old);
      return column;
    };
    this.#t = wider(this.#t, new Float64Array(this.#t.length * 2));
    this.#waitNs = wider(this.#waitNs, new Float64Array(this.#waitNs.length * 2));
    this.#numbers = wider(this.#numbers, new Int32Array(this.#numbers.length * 2));
  }
}
