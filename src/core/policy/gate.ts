import {
  ADMIT,
  type Ask,
  type Decision,
  type Grant,
  NEVER,
  type Policy,
  type Sample,
} from "./policy.ts";

/** What a gate needs of its surroundings: a clock that never goes back, and one timer. */
export interface GateTime {
  /** Integer ns after any fixed origin. */
  nowNs(): number;
  /** Calls `ring` at that time or later, once. @returns what takes the call back */
  wakeAt(atNs: number, ring: () => void): () => void;
}

/** Called once when the ask may go on: before `ask` returns, or later. */
export type LetGo = (grant: Grant) => void;

/**
 * A policy with its loop and its timer: whoever wants to boot asks and is called back. The storm
 * driver and the daemon share it; the simulator has its own calendar and needs none.
 */
export class Gate {
  readonly #policy: Policy;
  readonly #time: GateTime;
  readonly #waiting = new Map<number, LetGo>();
  #cancelTimer: (() => void) | undefined;
  #timerNs: number = NEVER;

  constructor(policy: Policy, time: GateTime) {
    this.#policy = policy;
    this.#time = time;
  }

  /** @returns what the policy said; on a delay `letGo` is called later, unless the ask leaves */
  ask(ask: Ask, letGo: LetGo): Decision {
    const decision = this.#policy.decide(ask, this.#time.nowNs());
    if (decision === ADMIT) letGo({ id: ask.id, forced: false });
    else this.#waiting.set(ask.id, letGo);
    this.#settle();
    return decision;
  }

  /** For a policy that was restored: whom to call of the asks that wait in it. Lets go who may. */
  resume(waiting: Iterable<readonly [id: number, letGo: LetGo]>): void {
    for (const [id, letGo] of waiting) this.#waiting.set(id, letGo);
    this.#settle();
  }

  /** A boot that went on is over. */
  release(id: number): void {
    this.#policy.release(id, this.#time.nowNs());
    this.#settle();
  }

  /** A waiting ask does not wait any longer; its `letGo` is not called. */
  leave(id: number, how: "gave-up" | "went-ahead"): void {
    this.#waiting.delete(id);
    this.#policy.leave(id, how, this.#time.nowNs());
    this.#settle();
  }

  observe(sample: Sample): void {
    this.#policy.observe(sample, this.#time.nowNs());
    this.#settle();
  }

  /** Takes the timer back; nothing is called any more. */
  close(): void {
    this.#waiting.clear();
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
  }

  /** Lets go whoever may, then sets the timer for the next. */
  #settle(): void {
    for (;;) {
      const grant = this.#policy.ready(this.#time.nowNs());
      if (grant === undefined) break;
      const letGo = this.#waiting.get(grant.id);
      this.#waiting.delete(grant.id);
      letGo?.(grant);
    }
    const atNs = this.#policy.wakeNs();
    if (atNs === this.#timerNs && this.#cancelTimer !== undefined) return;
    this.#cancelTimer?.();
    this.#timerNs = atNs;
    this.#cancelTimer =
      atNs === NEVER
        ? undefined
        : this.#time.wakeAt(atNs, () => {
            this.#cancelTimer = undefined;
            this.#settle();
          });
  }
}
