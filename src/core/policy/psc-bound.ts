import {
  ADMIT,
  type Ask,
  type Decision,
  type Grant,
  NEVER,
  type Policy,
  type PolicyState,
} from "./policy.ts";
import { ownState, STATE_VERSION } from "./state.ts";

type State = {
  readonly inner: PolicyState;
  readonly deadlines: readonly (readonly [id: number, deadlineNs: number])[];
};

/**
 * R10: a PSC may be delayed, never refused, and only so long. A guest waits for it with its
 * interrupts off. What the bound lets go is charged for, and marked `forced`.
 */
export function boundPscDelay(inner: Policy, delayMaxNs: number): Policy {
  /** PSCs that wait, the oldest first: the bound is the same for all. */
  const deadlines = new Map<number, number>();
  /** Of the first in `deadlines`. */
  let firstNs = NEVER;

  function decide(ask: Ask, nowNs: number): Decision {
    const decision = inner.decide(ask, nowNs);
    if (decision === ADMIT || ask.kind !== "psc") return decision;
    if (decision.kind === "admit") return decision;
    const deadlineNs = nowNs + delayMaxNs;
    deadlines.set(ask.id, deadlineNs);
    if (deadlines.size === 1) firstNs = deadlineNs;
    return decision.untilNs <= deadlineNs ? decision : { ...decision, untilNs: deadlineNs };
  }

  function ready(nowNs: number): Grant | undefined {
    const grant = inner.ready(nowNs);
    if (grant !== undefined) {
      forget(grant.id);
      return grant;
    }
    if (firstNs > nowNs) return undefined;
    const [id] = deadlines.keys();
    if (id === undefined) return undefined;
    inner.leave(id, "went-ahead", nowNs);
    forget(id);
    return { id, forced: true };
  }

  function forget(id: number): void {
    if (!deadlines.delete(id)) return;
    const [first] = deadlines.values();
    firstNs = first ?? NEVER;
  }

  return {
    name: inner.name,
    decide,
    ready,
    wakeNs: () => Math.min(inner.wakeNs(), firstNs),
    release: inner.release,
    leave: (id, how, nowNs) => {
      inner.leave(id, how, nowNs);
      forget(id);
    },
    observe: inner.observe,
    plan: inner.plan,
    gauges: inner.gauges,
    snapshot: () => ({
      policy: `bounded ${inner.name}`,
      version: STATE_VERSION,
      inner: inner.snapshot(),
      deadlines: [...deadlines],
    }),
    restore: (state) => {
      const saved = ownState<State>(`bounded ${inner.name}`, state);
      inner.restore(saved.inner);
      for (const [id, deadlineNs] of saved.deadlines) deadlines.set(id, deadlineNs);
      const [first] = deadlines.values();
      firstNs = first ?? NEVER;
    },
  };
}
