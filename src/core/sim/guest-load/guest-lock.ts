/**
 * The kind of spinlock in a guest: `queued` is first come first served, whether the first has a CPU
 * or not; `test-and-set` goes to a waiter that has one, else to who asks first while it is free.
 * Source: arch/x86/include/asm/qspinlock.h, virt_spin_lock.
 */
export type GuestSpinlock = "queued" | "test-and-set";

/** One spinlock and the vCPUs that wait for it. */
export class GuestLock {
  /** -1: free. */
  holder = -1;
  /** Where it was held last; -1: nowhere yet. */
  lastCpu = -1;
  readonly #waiters: number[] = [];
  readonly #kind: GuestSpinlock;

  constructor(kind: GuestSpinlock) {
    this.#kind = kind;
  }

  /** → false: the vCPU waits from now on. */
  ask(vcpu: number): boolean {
    if (this.holder < 0) this.holder = vcpu;
    else this.#waiters.push(vcpu);
    return this.holder === vcpu;
  }

  /** A waiter that has got a CPU back looks again → true when it holds the lock now. */
  askAgain(vcpu: number): boolean {
    if (this.holder >= 0) return false;
    this.#grant(this.#waiters.indexOf(vcpu));
    return true;
  }

  /** → who holds it now; -1: nobody, since none that could take it waits. */
  release(runs: (vcpu: number) => boolean): number {
    this.holder = -1;
    const next = this.#kind === "queued" ? 0 : this.#waiters.findIndex(runs);
    if (next >= 0 && next < this.#waiters.length) this.#grant(next);
    return this.holder;
  }

  #grant(index: number): void {
    this.holder = this.#waiters.splice(index, 1)[0]!;
  }
}
