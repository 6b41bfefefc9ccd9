// The laws every policy keeps, and the driver they are tested with: a small host in virtual time
// whose asks, boots and samples come from a list.
import fc from "fast-check";
import { expect, test } from "vitest";
import type { OptionField, ScalarField } from "../../src/core/policy/option.ts";
import {
  ADMIT,
  type Ask,
  type AskKind,
  type Delay,
  NEVER,
  type OptionValue,
  type Policy,
  type PolicyOptions,
  type PolicyState,
  type Sample,
} from "../../src/core/policy/policy.ts";
import { createPolicy, type PolicyKind } from "../../src/core/policy/registry.ts";

/** One ask of a load. Its id is its place in the list. */
export interface LoadAsk {
  readonly atNs: number;
  readonly kind: AskKind;
  readonly vm: number;
  readonly tenant: number;
  readonly pages: number;
  readonly priority: number;
  /** Boots: from admission to ready. */
  readonly bootNs: number;
  readonly failed: boolean;
  /** Boots: CPU time until ready; undefined: nobody tells. */
  readonly cpuNs?: number | undefined;
  /** It waits no longer than this; undefined: as long as it takes. */
  readonly patienceNs?: number | undefined;
}

export interface Load {
  readonly asks: readonly LoadAsk[];
  readonly samples: readonly { readonly atNs: number; readonly sample: Sample }[];
  /** The k-th timer rings this much late; then none is. */
  readonly lateNs: readonly number[];
}

export interface Outcome {
  readonly id: number;
  readonly end: "admitted" | "granted" | "forced" | "gave-up";
  readonly atNs: number;
  readonly delay?: Delay;
}

type Event =
  | { readonly what: "ask"; readonly id: number }
  | { readonly what: "impatient"; readonly id: number }
  | { readonly what: "boot-ends"; readonly id: number }
  | { readonly what: "sample"; readonly sample: Sample }
  | { readonly what: "timer" };

interface Options {
  /** Called after every event, when the policy has come to rest. */
  readonly rest?: (policy: Policy, nowNs: number) => void;
  /** Called at each admission. */
  readonly admitted?: (policy: Policy, id: number) => void;
  /** After this many events the policy is exchanged. */
  readonly exchange?: { readonly after: number; readonly by: (policy: Policy) => Policy };
}

/** More events than any load of these tests needs: a policy that runs on for ever is found out. */
const EVENTS_MAX = 200_000;

/**
 * Runs a load through a policy, as its users do: see `Policy`.
 * @returns what became of each ask, in the order it happened
 */
export function drive(first: Policy, load: Load, options: Options = {}): readonly Outcome[] {
  let policy = first;
  const outcomes: Outcome[] = [];
  const delays = new Map<number, Delay>();
  const events: { atNs: number; order: number; event: Event }[] = [];
  let count = 0;
  let timers = 0;
  let timerNs = NEVER;

  const schedule = (atNs: number, event: Event) => {
    const item = { atNs, order: count, event };
    count += 1;
    let i = events.length;
    while (i > 0 && events[i - 1]!.atNs > atNs) i -= 1;
    events.splice(i, 0, item);
  };
  // Earliest first; of equal times the one scheduled first, for insertion is after its equals.
  load.asks.forEach(({ atNs }, id) => {
    schedule(atNs, { what: "ask", id });
  });
  for (const { atNs, sample } of load.samples) schedule(atNs, { what: "sample", sample });

  const finish = (id: number, end: Outcome["end"], atNs: number) => {
    const delay = delays.get(id);
    outcomes.push(delay === undefined ? { id, end, atNs } : { id, end, atNs, delay });
    if (end === "gave-up") return;
    options.admitted?.(policy, id);
    const { kind, bootNs } = load.asks[id]!;
    if (kind === "boot") schedule(atNs + bootNs, { what: "boot-ends", id });
  };
  const handle = (event: Event, nowNs: number) => {
    switch (event.what) {
      case "ask": {
        const decision = policy.decide(askOf(load, event.id), nowNs);
        if (decision === ADMIT) return finish(event.id, "admitted", nowNs);
        if (decision.kind === "delay") delays.set(event.id, decision);
        const { patienceNs } = load.asks[event.id]!;
        if (patienceNs !== undefined) {
          schedule(nowNs + patienceNs, { what: "impatient", id: event.id });
        }
        return;
      }
      case "impatient":
        if (outcomes.some(({ id }) => id === event.id)) return;
        policy.leave(event.id, "gave-up", nowNs);
        return finish(event.id, "gave-up", nowNs);
      case "boot-ends": {
        const { bootNs, failed, cpuNs, pages } = load.asks[event.id]!;
        const told = cpuNs === undefined ? {} : { cpuNs, pages };
        policy.observe({ kind: "boot-finished", latencyNs: bootNs, failed, ...told }, nowNs);
        return policy.release(event.id, nowNs);
      }
      case "sample":
        return policy.observe(event.sample, nowNs);
      case "timer":
    }
  };

  for (let n = 0; events.length > 0; n += 1) {
    if (n > EVENTS_MAX) throw new Error("the policy never comes to rest");
    if (options.exchange?.after === n) policy = options.exchange.by(policy);
    const { atNs, event } = events.shift()!;
    if (event.what === "timer") timerNs = NEVER;
    handle(event, atNs);
    for (let grant = policy.ready(atNs); grant !== undefined; grant = policy.ready(atNs)) {
      finish(grant.id, grant.forced ? "forced" : "granted", atNs);
    }
    options.rest?.(policy, atNs);
    const wakeNs = policy.wakeNs();
    if (wakeNs !== NEVER && wakeNs <= atNs) {
      throw new Error(`at rest at ${atNs} the policy wants to be called at ${wakeNs}`);
    }
    if (wakeNs < timerNs) {
      const lateNs = load.lateNs[timers] ?? 0;
      timers += 1;
      timerNs = wakeNs;
      schedule(wakeNs + lateNs, { what: "timer" });
    }
  }
  return outcomes;
}

export function askOf(load: Load, id: number): Ask {
  const { kind, vm, tenant, pages, priority } = load.asks[id]!;
  return { id, kind, vm, tenant, pages, priority };
}

/** Through JSON, as a daemon would, into a new policy. */
export function restored(policy: Policy, make: () => Policy): Policy {
  const state: PolicyState = JSON.parse(JSON.stringify(policy.snapshot()));
  const copy = make();
  copy.restore(state);
  return copy;
}

export interface LoadShape {
  readonly kinds: readonly AskKind[];
  readonly patience: boolean;
  readonly late: boolean;
}

const ANY: LoadShape = { kinds: ["boot", "psc"], patience: true, late: true };

/** Bursts and pauses, a few VMs and tenants, small and large asks. */
export function loads(shape: Partial<LoadShape> = {}): fc.Arbitrary<Load> {
  const { kinds, patience, late } = { ...ANY, ...shape };
  const gapNs = fc.oneof(
    fc.constant(0),
    fc.integer({ min: 0, max: 2_000_000 }),
    fc.integer({ min: 0, max: 500_000_000 }),
  );
  const ask = fc.record({
    gapNs,
    kind: fc.constantFrom(...kinds),
    vm: fc.nat(3),
    pages: fc.oneof(fc.constantFrom(1, 64, 512), fc.integer({ min: 1, max: 40_000 })),
    priority: fc.constantFrom(0, 0, 0, 1, -1),
    bootNs: fc.integer({ min: 1, max: 9_000_000_000 }),
    failed: fc.nat(9).map((n) => n === 0),
    cpuNs: fc.option(fc.integer({ min: 1, max: 9_000_000_000 }), { nil: undefined, freq: 3 }),
    patienceNs: patience
      ? fc.option(fc.nat(400_000_000), { nil: undefined, freq: 3 })
      : fc.constant(undefined),
  });
  const sample = fc.record({
    atNs: fc.nat(3_000_000_000),
    sample: fc.oneof(
      fc.record({ kind: fc.constant("queue-time" as const), waitNs: fc.nat(20_000_000) }),
      fc.record({
        kind: fc.constant("lock-wait" as const),
        share: fc.nat(100).map((percent) => percent / 100),
      }),
      fc
        .record({
          cpus: fc.constantFrom(2, 2, 8, 64),
          idle: fc.nat(100),
          boots: fc.option(fc.nat(100), { nil: undefined, freq: 3 }),
        })
        .map(({ cpus, idle, boots }) => ({
          kind: "host-cpu" as const,
          cpus,
          idleShare: idle / 100,
          ...(boots === undefined ? {} : { bootShare: ((100 - idle) * boots) / 10_000 }),
        })),
    ),
  });
  return fc.record({
    asks: fc.array(ask, { minLength: 1, maxLength: 40 }).map((asks) => {
      let atNs = 0;
      return asks.map(({ gapNs, ...rest }) => {
        atNs += gapNs;
        return { ...rest, atNs, tenant: rest.vm >> 1 };
      });
    }),
    samples: fc.array(sample, { maxLength: 20 }),
    lateNs: late ? fc.array(fc.nat(30_000_000), { maxLength: 30 }) : fc.constant([]),
  });
}

/** Options within their limits, near their defaults and at the edges. */
export function optionsOf(kind: PolicyKind): fc.Arbitrary<PolicyOptions> {
  const entries = Object.entries(kind.fields).map(
    ([key, field]) => [key, fieldValues(field)] as const,
  );
  return fc
    .tuple(
      ...entries.map(([key, values]) => fc.option(values.map((value) => [key, value] as const))),
    )
    .map((given) => Object.fromEntries(given.filter((each) => each !== null)))
    .filter((options) => kind.problems(options).length === 0);
}

function fieldValues(field: OptionField): fc.Arbitrary<OptionValue> {
  if (field.type !== "rows") return scalarValues(field);
  const row = Object.entries(field.fields).map(([key, each]) => [key, scalarValues(each)] as const);
  return fc.array(fc.record(Object.fromEntries(row)), { maxLength: 3 });
}

function scalarValues(field: ScalarField): fc.Arbitrary<number | string | boolean> {
  switch (field.type) {
    case "choice":
      return fc.constantFrom(...field.of);
    case "yes-no":
      return fc.boolean();
    case "integer": {
      const near = Math.min(field.max, Math.max(field.default * 4, field.min + 10));
      return fc.oneof(fc.constant(field.default), fc.integer({ min: field.min, max: near }));
    }
    case "number":
      return fc.double({ min: field.min, max: field.max, noNaN: true });
  }
}

type Law = "gave-up";

/**
 * Declares the tests of one policy.
 * @param skip  laws this policy does not keep, and why
 */
export function policyLaws(kind: PolicyKind, skip: Partial<Record<Law, string>> = {}): void {
  const options = optionsOf(kind);
  const bounded = (given: PolicyOptions) => createPolicy([{ name: kind.name, options: given }]);
  /** With the bound on delays as its users have it, and without. */
  const makers = fc
    .tuple(options, fc.boolean())
    .map(([given, bound]) => (bound ? () => bounded(given) : () => kind.create(given)));
  const title = (law: string) => `${kind.name}: ${law}`;

  test(title("the loads of these tests make it delay some and admit others"), () => {
    const outcomes = fc
      .sample(fc.tuple(makers, loads()), { numRuns: 200, seed: 1 })
      .flatMap(([make, load]) => drive(make(), load));
    expect(outcomes.some(({ delay }) => delay === undefined)).toBe(true);
    expect(outcomes.some(({ delay }) => delay !== undefined)).toBe(kind.delays !== "nothing");
  });

  test(title("each ask is let go once or gives up, also when timers ring late"), () => {
    fc.assert(
      fc.property(makers, loads(), (make, load) => {
        const ids = drive(make(), load).map(({ id }) => id);
        expect(ids.toSorted((a, b) => a - b)).toEqual(load.asks.map((_, id) => id));
      }),
    );
  });

  test(title("nobody starves: when a load ends, all are let go, without anybody giving up"), () => {
    fc.assert(
      fc.property(makers, loads({ patience: false }), (make, load) => {
        const outcomes = drive(make(), load);
        expect(outcomes.filter(({ end }) => end === "gave-up")).toEqual([]);
        expect(outcomes.length).toBe(load.asks.length);
      }),
    );
  });

  test(title("no exit is held back longer than the bound"), () => {
    fc.assert(
      fc.property(options, loads({ late: false }), (given, load) => {
        const boundNs = Number(given.pscDelayMaxMs ?? 100) * 1e6;
        for (const { id, atNs } of drive(bounded(given), load)) {
          const ask = load.asks[id]!;
          if (ask.kind === "psc") expect(atNs - ask.atNs).toBeLessThanOrEqual(boundNs);
        }
      }),
    );
  });

  test(title("nobody goes before the time that was named, unless another leaves"), () => {
    // Without the bound on delays: whom it lets go has left the line.
    const pscs = loads({ kinds: ["psc"], patience: false });
    fc.assert(
      fc.property(options, pscs, (given, load) => {
        for (const { id, atNs, delay } of drive(kind.create(given), load)) {
          const least = delay?.untilNs ?? load.asks[id]!.atNs;
          expect(atNs).toBeGreaterThanOrEqual(least);
        }
      }),
    );
  });

  test(title("who asks later is not let go earlier"), () => {
    const last = fc.record({ early: fc.nat(50_000_000), later: fc.nat(50_000_000) });
    fc.assert(
      fc.property(makers, loads({ late: false }), last, (make, load, { early, later }) => {
        const asks = load.asks;
        const final = asks.at(-1)!;
        const endAt = (extraNs: number) => {
          const late = { ...final, atNs: final.atNs + extraNs, patienceNs: undefined };
          const changed = { ...load, asks: [...asks.slice(0, -1), late] };
          return drive(make(), changed).find(({ id }) => id === asks.length - 1)!.atNs;
        };
        expect(endAt(early + later)).toBeGreaterThanOrEqual(endAt(early));
      }),
    );
  });

  test(title("a state put away and taken up again, at any moment, changes nothing"), () => {
    fc.assert(
      fc.property(makers, loads(), fc.nat(100), (make, load, after) => {
        const exchange = { after, by: (policy: Policy) => restored(policy, make) };
        expect(drive(make(), load, { exchange })).toEqual(drive(make(), load));
      }),
    );
  });

  test(title("the same asks, the same answers"), () => {
    fc.assert(
      fc.property(makers, loads(), (make, load) => {
        expect(drive(make(), load)).toEqual(drive(make(), load));
      }),
    );
  });

  test(title("what it does not govern passes at once"), () => {
    fc.assert(
      fc.property(makers, loads({ patience: false }), (make, load) => {
        for (const { id, end } of drive(make(), load)) {
          if (load.asks[id]!.kind !== kind.delays) expect(end).toBe("admitted");
        }
      }),
    );
  });

  test(title("never more boots in service than the cap when one is let in"), () => {
    fc.assert(
      fc.property(makers, loads(), (make, load) => {
        const admitted = (policy: Policy, id: number) => {
          const { cap, inService } = policy.gauges();
          if (cap === undefined || load.asks[id]!.kind !== "boot") return;
          expect(inService).toBeLessThanOrEqual(cap);
        };
        drive(make(), load, { admitted });
      }),
    );
  });

  test(title("nobody waits for a boot while there is room"), () => {
    fc.assert(
      fc.property(makers, loads(), (make, load) => {
        const rest = (policy: Policy) => {
          const { cap, inService, waiting } = policy.gauges();
          if (cap === undefined || waiting === 0) return;
          expect(inService).toBeGreaterThanOrEqual(cap);
        };
        drive(make(), load, { rest });
      }),
    );
  });

  if (skip["gave-up"] === undefined && kind.delays !== "nothing") {
    test(title("who gives up at once leaves no trace"), () => {
      fc.assert(
        fc.property(makers, loads({ late: false }), fc.nat(39), (make, load, at) => {
          const fickle = load.asks[at % load.asks.length]!;
          const ghost = { ...fickle, patienceNs: 0 };
          const haunted = { ...load, asks: [...load.asks, ghost] };
          const waits = drive(make(), haunted).find(({ id }) => id === load.asks.length)!;
          fc.pre(waits.end === "gave-up");
          const others = drive(make(), haunted).filter(({ id }) => id !== load.asks.length);
          expect(others.map(({ id, end, atNs }) => ({ id, end, atNs }))).toEqual(
            drive(make(), load).map(({ id, end, atNs }) => ({ id, end, atNs })),
          );
        }),
      );
    });
  }

  test(title("words about unknown boots change nothing"), () => {
    fc.assert(
      fc.property(makers, loads(), (make, load) => {
        const rest = (policy: Policy, nowNs: number) => {
          policy.release(1e6, nowNs);
          policy.leave(1e6, "gave-up", nowNs);
          policy.leave(1e6, "went-ahead", nowNs);
        };
        expect(drive(make(), load, { rest })).toEqual(drive(make(), load));
      }),
    );
  });

  test(title("a state of another policy or a later version is refused"), () => {
    const policy = kind.create({});
    const state = policy.snapshot();
    expect(() => policy.restore({ ...state, policy: "other" })).toThrow("cannot restore");
    expect(() => policy.restore({ ...state, version: 2 })).toThrow("cannot restore");
  });

  test(title("a plan never grows, and what it is told twice stays the same"), () => {
    const plan = fc.nat(1e8).chain((memoryPages) =>
      fc.record({
        memoryPages: fc.constant(memoryPages),
        acceptPages: fc.integer({ min: 0, max: memoryPages }),
      }),
    );
    fc.assert(
      fc.property(makers, plan, (make, before) => {
        const after = make().plan(before);
        expect(after.memoryPages).toBe(before.memoryPages);
        expect(after.acceptPages).toBeLessThanOrEqual(before.acceptPages);
        expect(make().plan(after)).toEqual(after);
      }),
    );
  });
}
