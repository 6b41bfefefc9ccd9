import type { Permit, PermitAsk, PermitEvent } from "./permit.ts";

/** What a history of permits must not show; `at` is the index of the event that shows it. */
export interface HistoryFault {
  readonly at: number;
  readonly fault: string;
}

export interface HistoryRules {
  /**
   * As many may be in force, whatever the events say of the cap; absent: only what they say counts.
   */
  readonly cap?: number;
  /** How much later than its lease a permit may end while a daemon runs: timers and disks are late. */
  readonly toleranceNs: number;
  /** Permits that wait or are in force when the history begins, by number. */
  readonly live?: readonly Permit[];
}

interface Seen {
  readonly ask: PermitAsk;
  state: "waiting" | "granted" | "ended";
  leaseNs: number;
  leaseEndsNs: number;
}

/**
 * Holds a history against what was promised, knowing nothing of queues and policies:
 *
 * - never more in force than the cap at the moment of a grant;
 * - nobody is granted twice, and no key has two permits at once;
 * - nobody stays in force longer than the lease, while a daemon runs to end it, nor expires before;
 * - of equal priority and tenant, who asked first goes first.
 *
 * @returns every breach, in order; empty: the history is sound
 */
export function checkHistory(
  events: Iterable<PermitEvent>,
  { cap, toleranceNs, live = [] }: HistoryRules,
): readonly HistoryFault[] {
  const faults: HistoryFault[] = [];
  const permits = new Map<number, Seen>();
  const keys = new Map<string, number>();
  /** Of each priority and tenant, who waits, first come first. Who is gone is dropped when first. */
  const lines = new Map<string, number[]>();
  const inForce = new Set<number>();
  let openedNs = Number.NEGATIVE_INFINITY;
  let nowNs = Number.NEGATIVE_INFINITY;
  let at = -1;
  const found = (fault: string) => {
    faults.push({ at, fault });
  };

  function look(event: PermitEvent): void {
    switch (event.kind) {
      case "asked":
        asked(event.ask);
        break;
      case "granted":
        granted(event);
        break;
      case "renewed":
        renewed(event);
        break;
      case "ended":
        ended(event);
        break;
      case "opened":
        openedNs = event.atNs;
        break;
      case "observed":
      case "policy-set":
        break;
    }
  }

  function begin({ ask, state, leaseNs, leaseEndsNs = 0 }: Permit): void {
    asked(ask);
    permits.set(ask.id, { ask, state, leaseNs, leaseEndsNs });
    if (state === "granted") inForce.add(ask.id);
  }

  function asked(ask: PermitAsk): void {
    if (permits.has(ask.id)) found(`${ask.id} is the number of two permits`);
    if (keys.has(ask.key)) found(`key ${ask.key} has two permits`);
    const { leaseNs } = ask;
    permits.set(ask.id, { ask, state: "waiting", leaseNs, leaseEndsNs: 0 });
    keys.set(ask.key, ask.id);
    const line = lines.get(lineOf(ask));
    if (line === undefined) lines.set(lineOf(ask), [ask.id]);
    else line.push(ask.id);
  }

  function granted({ id, atNs, cap: said }: PermitEvent & { readonly kind: "granted" }): void {
    const permit = permits.get(id);
    if (permit?.state !== "waiting") {
      found(`${id} is granted, but does not wait`);
      return;
    }
    const line = lines.get(lineOf(permit.ask))!;
    while (line.length > 0 && permits.get(line[0]!)!.state !== "waiting") line.shift();
    if (line[0] !== id) found(`${id} goes before ${line[0]}, who came first`);
    permit.state = "granted";
    permit.leaseEndsNs = atNs + permit.leaseNs;
    inForce.add(id);
    const most = Math.min(cap ?? Infinity, said ?? Infinity);
    if (inForce.size > most) found(`${inForce.size} are in force, the cap is ${most}`);
  }

  function renewed({ id, atNs, leaseNs }: PermitEvent & { readonly kind: "renewed" }): void {
    const permit = permits.get(id);
    if (permit?.state !== "granted") {
      found(`${id} is renewed, but is not in force`);
      return;
    }
    inTime(id, permit);
    permit.leaseNs = leaseNs;
    permit.leaseEndsNs = atNs + leaseNs;
  }

  function ended({ id, atNs, how }: PermitEvent & { readonly kind: "ended" }): void {
    const permit = permits.get(id);
    if (permit === undefined || permit.state === "ended") {
      found(`${id} ends, but is not there`);
      return;
    }
    if (permit.state === "granted") {
      inTime(id, permit);
      if (how === "expired" && atNs < permit.leaseEndsNs) found(`${id} expires before its lease`);
    }
    permit.state = "ended";
    inForce.delete(id);
    if (keys.get(permit.ask.key) === id) keys.delete(permit.ask.key);
  }

  /** Nobody could end it before a daemon was there. */
  function inTime(id: number, { leaseEndsNs }: Seen): void {
    const lateNs = nowNs - Math.max(leaseEndsNs, openedNs);
    if (lateNs > toleranceNs) found(`${id} is in force ${lateNs} ns after its lease`);
  }

  for (const permit of live) begin(permit);
  for (const event of events) {
    at += 1;
    if (event.atNs < nowNs) found(`time goes back by ${nowNs - event.atNs} ns`);
    nowNs = event.atNs;
    look(event);
  }
  for (const id of inForce) inTime(id, permits.get(id)!);
  return faults;
}

function lineOf({ priority, tenant }: PermitAsk): string {
  return `${priority} ${tenant}`;
}
