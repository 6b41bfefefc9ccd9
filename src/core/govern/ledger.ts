import { BootstormError } from "../error.ts";
import { createDueHeap } from "../policy/due-heap.ts";
import { Gate, type GateTime } from "../policy/gate.ts";
import { ADMIT, type Ask, type Policy, type PolicySpec, type Sample } from "../policy/policy.ts";
import { createPolicy } from "../policy/registry.ts";
import { createBook } from "./book.ts";
import type {
  BootOutcome,
  EndOfPermit,
  Holder,
  LedgerGauges,
  LedgerState,
  Permit,
  PermitAsk,
  PermitEvent,
} from "./permit.ts";

/**
 * Who may have a boot in service: permits over the policies, with keys, leases and deadlines. It has
 * no clock and no file; its surroundings bring the time and write down what it records.
 */
export interface Ledger {
  /** The permit that has this key, or a new one, which may be granted on the spot. */
  ask(ask: Omit<PermitAsk, "id">): Permit;
  find(id: number): Permit | undefined;
  findKey(key: string): Permit | undefined;
  /** Waiting and granted ones, in the order in which they asked. */
  live(): Iterable<Permit>;
  /**
   * @param holder  who holds it from now on; absent: who has held it
   * @returns undefined when it is not in force
   */
  renew(id: number, leaseNs?: number, holder?: Holder): Permit | undefined;
  /** Those that are not there, or have ended, stay as they are. */
  end(id: number, how: EndOfPermit, outcome?: BootOutcome): void;
  /**
   * Somebody listens for a waiting permit. While nobody does, it waits for one lease more: who asks
   * now and then keeps it, and one that nobody wants does not stand before others.
   */
  attach(id: number): void;
  detach(id: number): void;
  /** Somebody has asked after it. */
  touch(id: number): void;
  observe(sample: Sample): void;
  /** From now on these policies decide, for those who wait too. Who is in force stays it. */
  setPolicy(policy: readonly PolicySpec[]): void;
  /** Waiting ones that go before this one, tenants' turns aside; 0 is the next. */
  position(permit: Permit): number;
  /** By the mean time in service of the last boots; undefined while nobody can say. */
  expectedWaitNs(position: number): number | undefined;
  gauges(): LedgerGauges;
  /** How many wait. */
  readonly waiting: number;
  /** Nothing is granted before; 0 where nothing is held. */
  readonly heldUntilNs: number;
  readonly policy: readonly PolicySpec[];
  snapshot(): LedgerState;
  /** Takes the timers back. */
  close(): void;
}

export interface LedgerSurroundings {
  /** A clock that goes on while no ledger is open: leases run meanwhile. */
  readonly time: GateTime;
  /**
   * Called for each change when it has happened, with the permit as it has become. Must not call the
   * ledger.
   */
  readonly record: (event: PermitEvent, permit: Permit | undefined) => void;
  /** Does the very process still run? Asked of every permit when the ledger is opened. */
  readonly runs: (holder: Holder) => boolean;
}

/** A ledger that nobody has asked yet. */
export function emptyLedger(policy: readonly PolicySpec[], heldUntilNs = 0): LedgerState {
  return { nextId: 1, heldUntilNs, held: [], policy, live: [], ended: [] };
}

/** When a permit ends by itself, if nothing comes between. */
interface Due {
  readonly id: number;
  readonly dueNs: number;
}

/** Beyond this, entries that are out of date are thrown out of the heap of due times. */
const STALE_DUES_MIN = 1024;

/**
 * Opens a ledger as it was after these events, decides who may go now, and goes on.
 * @param past  what was recorded after `saved` was taken
 * @throws BootstormError LEDGER_CONTRADICTION when the events do not follow on the state
 */
export function openLedger(
  { time, record, runs }: LedgerSurroundings,
  saved: LedgerState,
  past: readonly PermitEvent[] = [],
): Ledger {
  const book = createBook(saved);
  const { heldUntilNs } = saved;
  let policySpecs = saved.policy;
  let policy = createPolicy(policySpecs);
  /** Waiting permits that the policy has not been asked about, because all are held. */
  const outside = new Set<number>(saved.held);
  const listeners = new Map<number, number>();
  /** When a waiting permit that nobody listens for ends. */
  const neglectedNs = new Map<number, number>();

  let dues = createDueHeap<Due>();
  const earliestDue = new Map<number, number>();
  let cancelDue: (() => void) | undefined;
  let timerNs = Number.POSITIVE_INFINITY;
  let cancelHold: (() => void) | undefined;

  let admitted = replay();
  let gate = new Gate(policy, time);
  start();

  /** Applies the past to the book and shows it to the policy. @returns see `adopt` */
  function replay(): Set<number> {
    let granted = restorePolicy(saved);
    for (const event of past) {
      // Before the book knows of it: the policy is told of the permit as it was.
      const permit = "id" in event ? book.find(event.id) : undefined;
      if (event.atNs >= heldUntilNs) {
        for (const { ask } of takeHeld()) {
          if (policy.decide(askOf(ask), event.atNs) === ADMIT) granted.add(ask.id);
        }
      }
      book.apply(event);
      switch (event.kind) {
        case "asked":
          if (event.atNs < heldUntilNs) outside.add(event.ask.id);
          else if (policy.decide(askOf(event.ask), event.atNs) === ADMIT) granted.add(event.ask.id);
          break;
        case "granted":
          goAhead(event.id, granted, event.atNs);
          break;
        case "ended":
          if (permit === undefined) break;
          if (outside.delete(event.id)) break;
          if (permit.state === "granted") {
            observeEnd(policy, permit, event);
            policy.release(event.id, event.atNs);
          } else if (granted.delete(event.id)) policy.release(event.id, event.atNs);
          else policy.leave(event.id, "gave-up", event.atNs);
          break;
        case "observed":
          policy.observe(event.sample, event.atNs);
          break;
        case "policy-set":
          granted = adopt(event.policy, event.atNs);
          break;
        case "renewed":
        case "opened":
          break;
      }
    }
    return granted;
  }

  function restorePolicy({ policyState }: LedgerState): Set<number> {
    if (policyState === undefined) return adopt(policySpecs, 0);
    try {
      policy.restore(policyState);
      return new Set();
    } catch (error) {
      // Another version has written it: what it had learned is lost, the permits are not.
      if (error instanceof BootstormError && error.code === "POLICY_STATE") {
        return adopt(policySpecs, 0);
      }
      throw error;
    }
  }

  /** It was granted, whatever the policy says now. */
  function goAhead(id: number, granted: Set<number>, atNs: number): void {
    for (;;) {
      if (granted.delete(id)) return;
      const next = policy.ready(atNs);
      if (next === undefined) break;
      granted.add(next.id);
    }
    policy.leave(id, "went-ahead", atNs);
  }

  /**
   * Puts fresh policies in the place of those before and tells them who is in force and who waits.
   * @returns waiting permits that they have let in; they are to be granted
   */
  function adopt(specs: readonly PolicySpec[], nowNs: number): Set<number> {
    policySpecs = specs;
    policy = createPolicy(specs);
    const permits = [...book.live.values()];
    for (const { ask, state } of permits) {
      if (state !== "granted") continue;
      if (policy.decide(askOf(ask), nowNs) !== ADMIT) policy.leave(ask.id, "went-ahead", nowNs);
    }
    const waiting = permits.filter(({ ask, state }) => state === "waiting" && !outside.has(ask.id));
    return new Set(
      waiting
        .sort(beforeInLine)
        .filter(({ ask }) => policy.decide(askOf(ask), nowNs) === ADMIT)
        .map(({ ask }) => ask.id),
    );
  }

  function start(): void {
    commit({ kind: "opened", atNs: time.nowNs() });
    for (const permit of book.live.values()) {
      if (permit.state === "waiting") leaveAlone(permit.ask.id);
      else schedule(permit.ask.id);
    }
    letIn();
    findHolders();
    if (heldUntilNs > time.nowNs()) cancelHold = time.wakeAt(heldUntilNs, endHold);
    else endHold();
    ring();
  }

  /**
   * Who still runs could not renew while no ledger was open, and gets a lease anew; the permits of
   * who does not run are over.
   */
  function findHolders(): void {
    for (const { ask } of [...book.live.values()]) {
      if (ask.holder === undefined) continue;
      if (runs(ask.holder)) renew(ask.id);
      else end(ask.id, "launcher-died");
    }
  }

  /** Grants what the policy has let in, and listens to it for the others. */
  function letIn(): void {
    for (const id of admitted) grant(id);
    admitted = new Set();
    gate.resume(
      [...book.live.values()]
        .filter(({ ask, state }) => state === "waiting" && !outside.has(ask.id))
        .map(({ ask }) => [ask.id, () => grant(ask.id)]),
    );
  }

  function endHold(): void {
    cancelHold?.();
    cancelHold = undefined;
    for (const { ask } of takeHeld()) askPolicy(ask);
  }

  /** Those that nobody has asked the policy about, who goes first first. */
  function takeHeld(): readonly Permit[] {
    const held = [...outside].map((id) => book.find(id)!).sort(beforeInLine);
    outside.clear();
    return held;
  }

  function commit(event: PermitEvent): void {
    book.apply(event);
    const id = event.kind === "asked" ? event.ask.id : "id" in event ? event.id : undefined;
    record(event, id === undefined ? undefined : book.find(id));
  }

  function ask(wanted: Omit<PermitAsk, "id">): Permit {
    const known = book.findKey(wanted.key);
    if (known !== undefined) {
      touch(known.ask.id);
      return known;
    }
    const atNs = time.nowNs();
    // The timer may be late; who was held goes before who comes now.
    if (cancelHold !== undefined && atNs >= heldUntilNs) endHold();
    const id = book.nextId;
    commit({ kind: "asked", atNs, ask: { id, ...wanted } });
    if (atNs < heldUntilNs) outside.add(id);
    else askPolicy({ id, ...wanted });
    leaveAlone(id);
    return book.find(id)!;
  }

  function askPolicy(asked: PermitAsk): void {
    const { id } = asked;
    const decision = gate.ask(askOf(asked), () => grant(id));
    if (decision.kind === "delay" && book.live.get(id)?.state === "waiting") {
      book.explain(id, decision.reason);
    }
  }

  function grant(id: number): void {
    const cap = capOf(policy);
    commit({
      kind: "granted",
      atNs: time.nowNs(),
      id,
      ...(cap === undefined ? {} : { cap }),
    });
    neglectedNs.delete(id);
    listeners.delete(id);
    schedule(id);
  }

  function renew(id: number, leaseNs?: number, holder?: Holder): Permit | undefined {
    const permit = book.live.get(id);
    if (permit?.state !== "granted") return undefined;
    commit({
      kind: "renewed",
      atNs: time.nowNs(),
      id,
      leaseNs: leaseNs ?? permit.leaseNs,
      ...(holder === undefined ? {} : { holder }),
    });
    schedule(id);
    return book.find(id);
  }

  function end(id: number, how: EndOfPermit, outcome?: BootOutcome): void {
    const permit = book.live.get(id);
    if (permit === undefined) return;
    const atNs = time.nowNs();
    const said = outcome === undefined ? {} : { outcome };
    commit({ kind: "ended", atNs, id, how, ...said });
    neglectedNs.delete(id);
    listeners.delete(id);
    if (outside.delete(id)) return;
    if (permit.state === "waiting") gate.leave(id, "gave-up");
    else {
      observeEnd(gate, permit, { atNs, ...said });
      gate.release(id);
    }
  }

  function attach(id: number): void {
    listeners.set(id, (listeners.get(id) ?? 0) + 1);
    neglectedNs.delete(id);
    schedule(id);
  }

  function detach(id: number): void {
    const count = (listeners.get(id) ?? 1) - 1;
    if (count > 0) {
      listeners.set(id, count);
      return;
    }
    listeners.delete(id);
    leaveAlone(id);
  }

  function touch(id: number): void {
    if (!listeners.has(id)) leaveAlone(id);
  }

  /** Nobody listens for it: one lease, if it waits. */
  function leaveAlone(id: number): void {
    const permit = book.live.get(id);
    if (permit?.state !== "waiting") return;
    neglectedNs.set(id, time.nowNs() + permit.leaseNs);
    schedule(id);
  }

  function dueNsOf({ ask, state, leaseEndsNs }: Permit): number {
    if (state === "granted") return leaseEndsNs!;
    const forever = Number.POSITIVE_INFINITY;
    return Math.min(ask.deadlineNs ?? forever, neglectedNs.get(ask.id) ?? forever);
  }

  /** Sees to it that the permit is looked at when it is due. An entry that is too early does no harm. */
  function schedule(id: number): void {
    const permit = book.live.get(id);
    if (permit === undefined) return;
    const dueNs = dueNsOf(permit);
    if (dueNs >= (earliestDue.get(id) ?? Number.POSITIVE_INFINITY)) return;
    earliestDue.set(id, dueNs);
    dues.push(dueNs, id, { id, dueNs });
    if (dues.size > 2 * book.live.size + STALE_DUES_MIN) sweepDues();
    if (dueNs < timerNs) setDueTimer();
  }

  /** Throws out the entries of permits that have ended: their number follows the rate, not the queue. */
  function sweepDues(): void {
    dues = createDueHeap<Due>();
    earliestDue.clear();
    for (const permit of book.live.values()) {
      const dueNs = dueNsOf(permit);
      if (dueNs === Number.POSITIVE_INFINITY) continue;
      earliestDue.set(permit.ask.id, dueNs);
      dues.push(dueNs, permit.ask.id, { id: permit.ask.id, dueNs });
    }
  }

  function setDueTimer(): void {
    cancelDue?.();
    timerNs = dues.size === 0 ? Number.POSITIVE_INFINITY : dues.peekNs();
    cancelDue = dues.size === 0 ? undefined : time.wakeAt(timerNs, ring);
  }

  /** Ends what is due. */
  function ring(): void {
    const nowNs = time.nowNs();
    while (dues.size > 0 && dues.peekNs() <= nowNs) {
      const { id, dueNs } = dues.peek()!;
      dues.pop();
      if (earliestDue.get(id) !== dueNs) continue;
      earliestDue.delete(id);
      const permit = book.live.get(id);
      if (permit === undefined) continue;
      if (dueNsOf(permit) > nowNs) schedule(id);
      else end(id, isLate(permit, nowNs) ? "gave-up" : "expired");
    }
    setDueTimer();
  }

  function setPolicy(specs: readonly PolicySpec[]): void {
    const nowNs = time.nowNs();
    gate.close();
    commit({ kind: "policy-set", atNs: nowNs, policy: specs });
    admitted = adopt(specs, nowNs);
    gate = new Gate(policy, time);
    letIn();
  }

  function position(permit: Permit): number {
    let before = 0;
    for (const other of book.live.values()) {
      if (other.state === "waiting" && beforeInLine(other, permit) < 0) before += 1;
    }
    return before;
  }

  function gauges(): LedgerGauges {
    const cap = capOf(policy);
    return {
      waiting: book.live.size - book.inForce,
      inForce: book.inForce,
      ...(cap === undefined ? {} : { cap }),
      policy: policy.gauges(),
    };
  }

  return {
    ask,
    find: book.find,
    findKey: book.findKey,
    live: () => book.live.values(),
    renew,
    end,
    attach,
    detach,
    touch,
    observe: (sample) => {
      commit({ kind: "observed", atNs: time.nowNs(), sample });
      gate.observe(sample);
    },
    setPolicy,
    position,
    expectedWaitNs: (before) => {
      const cap = capOf(policy);
      return cap === undefined || book.serviceNs === undefined
        ? undefined
        : Math.round(((before + 1) * book.serviceNs) / cap);
    },
    gauges,
    get waiting() {
      return book.live.size - book.inForce;
    },
    get heldUntilNs() {
      return heldUntilNs > time.nowNs() ? heldUntilNs : 0;
    },
    get policy() {
      return policySpecs;
    },
    snapshot: () => ({
      ...book.snapshot(),
      heldUntilNs,
      held: [...outside],
      policy: policySpecs,
      policyState: policy.snapshot(),
    }),
    close: () => {
      gate.close();
      cancelDue?.();
      cancelHold?.();
    },
  };
}

/** What the policy is told of a boot that is over. Of one whose launcher fell silent, nothing. */
function observeEnd(
  to: { observe(sample: Sample, nowNs: number): void },
  permit: Permit,
  { atNs, outcome }: { readonly atNs: number; readonly outcome?: BootOutcome },
): void {
  if (outcome === undefined) return;
  const { failed, bootNs, cpuNs } = outcome;
  const latencyNs = bootNs ?? atNs - permit.grantedNs!;
  const cost = cpuNs === undefined ? {} : { cpuNs };
  const { pages } = askOf(permit.ask);
  const size = pages === 0 ? {} : { pages };
  to.observe({ kind: "boot-finished", latencyNs, failed, ...cost, ...size }, atNs);
}

/** It waits, and its deadline has passed. */
function isLate({ state, ask }: Permit, nowNs: number): boolean {
  return state === "waiting" && ask.deadlineNs !== undefined && ask.deadlineNs <= nowNs;
}

function beforeInLine(a: Permit, b: Permit): number {
  return b.ask.priority - a.ask.priority || a.ask.id - b.ask.id;
}

const MIB_PAGES = 256;

function askOf({ id, tenant, priority, memoryMiB = 0 }: PermitAsk): Ask {
  return { id, kind: "boot", vm: id, tenant, pages: memoryMiB * MIB_PAGES, priority };
}

/** The lowest of the caps; in a chain each policy's gauges have its place and name before them. */
function capOf(policy: Policy): number | undefined {
  const caps = Object.entries(policy.gauges())
    .filter(([name]) => name === "cap" || name.endsWith(".cap"))
    .map(([, cap]) => cap);
  return caps.length === 0 ? undefined : Math.min(...caps);
}
