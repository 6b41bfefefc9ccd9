import { BootstormError, EXIT } from "../error.ts";
import { createFifo } from "../policy/fifo.ts";
import type { LedgerState, Permit, PermitEvent } from "./permit.ts";

/** How many of the permits that ended are remembered, so that a release may be said twice. */
export const ENDED_KEPT = 1024;

/** How much the newest boot counts in the mean time in service. */
const SERVICE_WEIGHT = 0.2;

/** The permits themselves: what the events have made of them, without any decision. */
export interface Book {
  /** Waiting and granted ones, in the order in which they asked. */
  readonly live: ReadonlyMap<number, Permit>;
  readonly inForce: number;
  readonly nextId: number;
  /** Mean time in service of the last boots; undefined before the first. */
  readonly serviceNs: number | undefined;
  find(id: number): Permit | undefined;
  /** A permit that gave up does not keep its key: who comes back asks anew. */
  findKey(key: string): Permit | undefined;
  /** @throws BootstormError LEDGER_CONTRADICTION when it cannot follow on what is there */
  apply(event: PermitEvent): void;
  /** Of a waiting permit, as the policy said it. */
  explain(id: number, reason: Permit["reason"]): void;
  snapshot(): Pick<LedgerState, "nextId" | "serviceNs" | "live" | "ended">;
}

export function createBook(saved: ReturnType<Book["snapshot"]>): Book {
  const live = new Map<number, Permit>();
  const ended = new Map<number, Permit>();
  const endedOrder = createFifo<number>();
  const keys = new Map<string, Permit>();
  let { nextId, serviceNs } = saved;
  let inForce = 0;
  for (const permit of saved.ended) keepEnded(permit);
  for (const permit of saved.live) {
    put(permit);
    if (permit.state === "granted") inForce += 1;
  }

  function put(permit: Permit): void {
    live.set(permit.ask.id, permit);
    keys.set(permit.ask.key, permit);
  }

  function keepEnded(permit: Permit): void {
    const { id, key } = permit.ask;
    if (permit.how === "gave-up") keys.delete(key);
    else keys.set(key, permit);
    ended.set(id, permit);
    endedOrder.push(id);
    if (endedOrder.length <= ENDED_KEPT) return;
    const oldest = endedOrder.shift()!;
    const forgotten = ended.get(oldest)!;
    ended.delete(oldest);
    if (keys.get(forgotten.ask.key) === forgotten) keys.delete(forgotten.ask.key);
  }

  function apply(event: PermitEvent): void {
    switch (event.kind) {
      case "asked": {
        const { ask, atNs } = event;
        require(ask.id >= nextId, "a number is given twice");
        require(keys.get(ask.key) === undefined, "a key is asked for twice");
        nextId = ask.id + 1;
        put({ ask, state: "waiting", askedNs: atNs, leaseNs: ask.leaseNs });
        return;
      }
      case "granted": {
        const permit = liveOne(event.id, "waiting");
        const { atNs } = event;
        const leaseEndsNs = atNs + permit.leaseNs;
        put({ ...permit, state: "granted", grantedNs: atNs, leaseEndsNs });
        inForce += 1;
        return;
      }
      case "renewed": {
        const { id, atNs, leaseNs, holder } = event;
        const permit = liveOne(id, "granted");
        const ask = holder === undefined ? permit.ask : { ...permit.ask, holder };
        put({ ...permit, ask, leaseNs, leaseEndsNs: atNs + leaseNs });
        return;
      }
      case "ended": {
        const { id, atNs, how, outcome } = event;
        const permit = live.get(id);
        require(permit !== undefined, "a permit ends that is not there");
        live.delete(id);
        if (permit.state === "granted") {
          inForce -= 1;
          learn(outcome?.bootNs ?? atNs - permit.grantedNs!);
        }
        keepEnded({ ...permit, state: "ended", endedNs: atNs, how });
        return;
      }
      case "observed":
      case "policy-set":
      case "opened":
        return;
    }
  }

  function learn(ns: number): void {
    serviceNs =
      serviceNs === undefined ? ns : serviceNs * (1 - SERVICE_WEIGHT) + ns * SERVICE_WEIGHT;
  }

  function liveOne(id: number, state: Permit["state"]): Permit {
    const permit = live.get(id);
    require(permit?.state === state, `permit ${id} is not ${state}`);
    return permit;
  }

  return {
    live,
    get inForce() {
      return inForce;
    },
    get nextId() {
      return nextId;
    },
    get serviceNs() {
      return serviceNs;
    },
    find: (id) => live.get(id) ?? ended.get(id),
    findKey: (key) => keys.get(key),
    apply,
    explain: (id, reason) => {
      if (reason !== undefined) put({ ...liveOne(id, "waiting"), reason });
    },
    snapshot: () => ({
      nextId,
      ...(serviceNs === undefined ? {} : { serviceNs }),
      live: [...live.values()],
      ended: endedOrder.items().map((id) => ended.get(id)!),
    }),
  };
}

function require(condition: boolean, what: string): asserts condition {
  if (condition) return;
  throw new BootstormError("LEDGER_CONTRADICTION", "the permits contradict each other", {
    why: what,
    exit: EXIT.input,
  });
}
