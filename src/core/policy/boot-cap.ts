import { assert } from "../assert.ts";
import { createFairQueue } from "./fair-queue.ts";
import { INERT } from "./inert.ts";
import {
  ADMIT,
  type Ask,
  type CapCause,
  type Decision,
  type Grant,
  type Json,
  NEVER,
  type Policy,
  type Sample,
} from "./policy.ts";
import { ownState, STATE_VERSION } from "./state.ts";

/** How many boots may be in service: a constant, or what the samples say. */
export interface CapRule {
  cap(): number;
  because(): CapCause;
  /**
   * @param inService  with the boot that a `boot-finished` is about
   * @param waiting  for the cap
   */
  observe(sample: Sample, inService: number, nowNs: number, waiting: number): void;
  snapshot(): Json;
  restore(saved: Json): void;
}

export const ORDER_FIELD = {
  type: "choice",
  of: ["arrival", "tenants"],
  default: "arrival",
  title: "who goes next: the one who came first, or the tenants in turn",
} as const;

export const BOOTS_MAX = 100_000;

export const BOOT_CAP_FIELDS = {
  boots: {
    type: "integer",
    min: 1,
    max: BOOTS_MAX,
    default: 10, // OpenStack Nova: max_concurrent_builds (nova/conf/compute.py).
    title: "boots in service at once",
  },
  order: ORDER_FIELD,
} as const;

export function fixedCap(boots: number): CapRule {
  return {
    cap: () => boots,
    because: () => ({ kind: "configured" }),
    observe: () => {},
    snapshot: () => null,
    restore: () => {},
  };
}

type State = {
  readonly rule: Json;
  readonly inService: readonly number[];
  readonly queue: ReturnType<ReturnType<typeof createFairQueue>["snapshot"]>;
};

/**
 * Boots beyond the cap wait in a fair queue until one in service is released. A cap that sinks
 * stops nobody; it lets nobody in until enough are done.
 */
export function createBootCap(name: string, order: "arrival" | "tenants", rule: CapRule): Policy {
  const inService = new Set<number>();
  let queue = createFairQueue(order);

  const hasRoom = () => inService.size < rule.cap();

  function decide(ask: Ask): Decision {
    if (ask.kind !== "boot") return ADMIT;
    const { id, tenant, priority } = ask;
    assert(!inService.has(id), "a boot is decided once");
    assert(!queue.has(id), "a boot is decided once");
    if (queue.length === 0 && hasRoom()) {
      inService.add(id);
      return ADMIT;
    }
    const ahead = queue.ahead(priority);
    queue.push({ id, tenant, priority });
    return {
      kind: "delay",
      untilNs: NEVER,
      reason: {
        rule: "cap",
        inService: inService.size,
        cap: rule.cap(),
        ahead,
        because: rule.because(),
      },
    };
  }

  function ready(): Grant | undefined {
    if (!hasRoom()) return undefined;
    const next = queue.shift();
    if (next === undefined) return undefined;
    inService.add(next.id);
    return { id: next.id, forced: false };
  }

  function leave(id: number, how: "gave-up" | "went-ahead"): void {
    if (!queue.has(id)) return;
    queue.remove(id);
    if (how === "went-ahead") inService.add(id);
  }

  function snapshot() {
    return {
      policy: name,
      version: STATE_VERSION,
      rule: rule.snapshot(),
      inService: [...inService],
      queue: queue.snapshot(),
    };
  }

  return {
    ...INERT,
    name,
    decide,
    ready,
    wakeNs: () => (queue.length > 0 && hasRoom() ? 0 : NEVER),
    release: (id) => {
      inService.delete(id);
    },
    leave,
    observe: (sample, nowNs) => rule.observe(sample, inService.size, nowNs, queue.length),
    gauges: () => ({ cap: rule.cap(), inService: inService.size, waiting: queue.length }),
    snapshot,
    restore: (state) => {
      const saved = ownState<State>(name, state);
      rule.restore(saved.rule);
      for (const id of saved.inService) inService.add(id);
      queue = createFairQueue(order, saved.queue);
    },
  };
}
