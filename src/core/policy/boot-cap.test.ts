import fc from "fast-check";
import { expect, test } from "vitest";
import { drive, type Load, loads, restored } from "../../../test/conformance/policy.ts";
import { createFairQueue } from "./fair-queue.ts";
import { ADMIT, type Ask, type OptionValue, type Policy } from "./policy.ts";
import { createPolicy, POLICIES } from "./registry.ts";

const create = (name: string, options: Record<string, OptionValue> = {}): Policy =>
  POLICIES.get(name)!.create(options);

const boot = (id: number, more: Partial<Ask> = {}): Ask => ({
  id,
  kind: "boot",
  vm: id,
  tenant: 0,
  pages: 1024,
  priority: 0,
  ...more,
});

const SECOND = 1e9;

/** n boots asked for at once, of the same length. */
const storm = (n: number, bootNs: number): Load => ({
  asks: Array.from({ length: n }, (_, vm) => ({
    atNs: 0,
    kind: "boot",
    vm,
    tenant: 0,
    pages: 1,
    priority: 0,
    bootNs,
    failed: false,
  })),
  samples: [],
  lateNs: [],
});

test("boots of equal length under a cap start in rows: VM i at ⌊i/cap⌋ boots", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 60 }), fc.integer({ min: 1, max: 20 }), (n, boots) => {
      const started = drive(create("boot-cap", { boots }), storm(n, SECOND));
      expect(started.map(({ id, atNs }) => [id, atNs])).toEqual(
        Array.from({ length: n }, (_, i) => [i, Math.floor(i / boots) * SECOND]),
      );
    }),
  );
});

test("a delay says how many are in service, what the cap is, and how many stand before", () => {
  const policy = create("boot-cap", { boots: 1 });
  expect(policy.decide(boot(0), 0)).toBe(ADMIT);
  policy.decide(boot(1), 0);
  expect(policy.decide(boot(2), 0)).toMatchObject({
    reason: { rule: "cap", inService: 1, cap: 1, ahead: 1, because: { kind: "configured" } },
  });
});

test("a tenant with many VMs does not stand before one with a single VM", () => {
  const order = (how: string) => {
    const policy = create("boot-cap", { boots: 1, order: how });
    const asks = [0, 1, 2, 3].map((id) => boot(id, { tenant: 7 })).concat(boot(4, { tenant: 8 }));
    for (const ask of asks) policy.decide(ask, 0);
    const went: number[] = [];
    for (let id = 0; ; ) {
      policy.release(id, 0);
      const grant = policy.ready(0);
      if (grant === undefined) return went;
      went.push(grant.id);
      id = grant.id;
    }
  };
  expect(order("arrival")).toEqual([1, 2, 3, 4]);
  expect(order("tenants")).toEqual([1, 4, 2, 3]);
});

test("the fair queue is a sorted list: priority, then the tenant's turn, then arrival", () => {
  const step = fc.oneof(
    fc.record({
      push: fc.record({ tenant: fc.nat(2), priority: fc.integer({ min: -1, max: 1 }) }),
    }),
    fc.record({ remove: fc.nat(30) }),
    fc.constant("shift" as const),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      let queue = createFairQueue("tenants");
      const turns: { priority: number; tenant: number; ids: number[] }[] = [];
      let id = 0;
      for (const each of steps) {
        if (each === "shift") {
          const level = Math.max(...turns.map(({ priority }) => priority));
          const at = turns.findIndex(({ priority }) => priority === level);
          const [turn] = at === -1 ? [] : turns.splice(at, 1);
          expect(queue.shift()?.id).toBe(turn?.ids.shift());
          if (turn !== undefined && turn.ids.length > 0) turns.push(turn);
        } else if ("push" in each) {
          const { tenant, priority } = each.push;
          queue.push({ id, tenant, priority });
          const turn = turns.find((t) => t.tenant === tenant && t.priority === priority);
          if (turn === undefined) turns.push({ priority, tenant, ids: [id] });
          else turn.ids.push(id);
          id += 1;
        } else {
          queue.remove(each.remove);
          const at = turns.findIndex(({ ids }) => ids.includes(each.remove));
          const turn = turns[at];
          if (turn !== undefined) turn.ids = turn.ids.filter((other) => other !== each.remove);
          if (turn?.ids.length === 0) turns.splice(at, 1);
        }
        expect(queue.length).toBe(turns.reduce((sum, { ids }) => sum + ids.length, 0));
        queue = createFairQueue("tenants", queue.snapshot());
      }
    }),
  );
});

/** The caps after each sample, with as many boots in service as may be. */
function capsAfter(
  name: string,
  options: Record<string, OptionValue>,
  latenciesMs: readonly (number | "failed")[],
): number[] {
  const policy = create(name, options);
  let id = 0;
  const fill = () => {
    while (policy.gauges().inService! < policy.gauges().cap!) policy.decide(boot(id++), 0);
  };
  return latenciesMs.map((ms, i) => {
    fill();
    const failed = ms === "failed";
    const latencyNs = failed ? 0 : ms * 1e6;
    policy.observe({ kind: "boot-finished", latencyNs, failed }, i * SECOND);
    return policy.gauges().cap!;
  });
}

test("AIMD: one more for each boot in time, a tenth less for each late or failed one", () => {
  const caps = capsAfter("boot-cap-aimd", { bootsStart: 18, bootTargetMs: 1000 }, [
    900,
    1000,
    1001,
    1001,
    "failed",
    10,
  ]);
  expect(caps).toEqual([19, 20, 18, 16, 14, 15]);
});

test("AIMD: from 2 downwards by one, never below the least, never above the most", () => {
  const limits = { bootsStart: 3, bootsMin: 2, bootsMax: 4, bootTargetMs: 1000 };
  expect(capsAfter("boot-cap-aimd", limits, [9999, 9999, 9999, 1, 1, 1])).toEqual([
    2, 2, 2, 3, 4, 4,
  ]);
});

test("AIMD does not grow while less than half of the cap is used", () => {
  const policy = create("boot-cap-aimd", { bootsStart: 10 });
  for (let id = 0; id < 4; id += 1) policy.decide(boot(id), 0);
  policy.observe({ kind: "boot-finished", latencyNs: 1, failed: false }, 0);
  expect(policy.gauges().cap).toBe(10);
  policy.decide(boot(4), 0);
  policy.observe({ kind: "boot-finished", latencyNs: 1, failed: false }, 0);
  expect(policy.gauges().cap).toBe(11);
});

test("gradient: Netflix's Gradient2, computed by hand", () => {
  // init 20, queue 4, smoothing .2, tolerance 1.5, as in its defaults. Samples 100, 100, 400 ms:
  // long 100 → g 1 → .8·20 + .2·(20 + 4) = 20.8; long 100 → .8·20.8 + .2·24.8 = 21.6;
  // long (100+100+400)/3 = 200, g = 1.5·200/400 = .75 → .8·21.6 + .2·(16.2 + 4) = 21.32;
  // 2000 ms: long 650, g max(.5, .4875) → .8·21.32 + .2·(10.66 + 4) = 19.988.
  const options = {
    bootsStart: 20,
    bootsMin: 20,
    queue: 4,
    smoothing: 0.2,
    tolerance: 1.5,
    longWindow: 600,
  };
  const loose = { ...options, bootsMin: 1 };
  expect(capsAfter("boot-cap-gradient", loose, [100, 100, 400, 2000])).toEqual([20, 21, 21, 19]);
  expect(capsAfter("boot-cap-gradient", options, [100, 100, 400, 2000]).at(-1)).toBe(20);
});

test("gradient: a steady host is used more and more, a slower one less, and it settles at 2·queue", () => {
  const steady = Array.from({ length: 300 }, () => 1000);
  expect(capsAfter("boot-cap-gradient", { bootsMax: 50 }, steady).at(-1)).toBe(50);
  const ever = Array.from({ length: 400 }, (_, i) => 1000 * 1.2 ** Math.min(i, 300));
  const caps = capsAfter("boot-cap-gradient", { queue: 3, bootsStart: 60 }, ever.slice(0, 300));
  expect(caps.at(-1)).toBeLessThanOrEqual(7);
});

/** Feeds one sample per 10 ms; the cap after each interval of 100 ms. */
function delayCaps(
  options: Record<string, OptionValue>,
  intervals: readonly { waitMs?: number; share?: number; ended?: number; idle?: boolean }[],
): number[] {
  const policy = create("boot-cap-delay", options);
  let id = 0;
  let nowNs = 0;
  return intervals.map(({ waitMs, share, ended = 0, idle = false }) => {
    while (!idle && policy.gauges().inService! < policy.gauges().cap!) policy.decide(boot(id++), 0);
    for (let i = 0; i < ended; i += 1) {
      policy.observe({ kind: "boot-finished", latencyNs: 1, failed: false }, nowNs);
    }
    for (let i = 0; i <= 10; i += 1) {
      if (waitMs !== undefined) policy.observe({ kind: "queue-time", waitNs: waitMs * 1e6 }, nowNs);
      if (share !== undefined) policy.observe({ kind: "lock-wait", share }, nowNs);
      nowNs += 10e6;
    }
    return policy.gauges().cap!;
  });
}

test("delay: a standing queue cuts the cap, a short one raises it once a boot has ended", () => {
  const caps = delayCaps({ bootsStart: 10 }, [
    { waitMs: 6 }, // over 5 ms: 9
    { waitMs: 6 }, // 10 are still in service: wait for the cut to show
    { waitMs: 1 }, // no boot has ended since
    { waitMs: 1, ended: 1 }, // 10
    { waitMs: 1 },
    { waitMs: 3, ended: 1 }, // between half and whole: hold
    { waitMs: 1 }, // the boot that ended still counts: 11
  ]);
  expect(caps).toEqual([9, 9, 9, 10, 10, 10, 11]);
});

test("delay: the share of lock wait counts like the queue; the worse of the two is named", () => {
  const policy = create("boot-cap-delay", { bootsStart: 2 });
  for (const id of [0, 1]) policy.decide(boot(id), 0);
  for (const nowNs of [0, 100e6]) {
    policy.observe({ kind: "queue-time", waitNs: 6e6 }, nowNs);
    policy.observe({ kind: "lock-wait", share: 0.41 }, nowNs);
  }
  // The interval ends at the first sample of 100 ms, which knows of lock waits only at 0 ms.
  expect(policy.decide(boot(2), 100e6)).toMatchObject({
    reason: {
      inService: 2,
      cap: 1,
      because: { kind: "lock-wait", seen: 0.41, limit: 0.2 },
    },
  });
});

test("a cap that sinks below those in service stops nobody and lets nobody in", () => {
  const policy = create("boot-cap-aimd", { bootsStart: 2, bootTargetMs: 1000 });
  for (const id of [0, 1, 2]) policy.decide(boot(id), 0);
  policy.observe({ kind: "boot-finished", latencyNs: 2e9, failed: false }, 2e9);
  policy.release(0, 2e9);
  expect(policy.gauges()).toEqual({ cap: 1, inService: 1, waiting: 1 });
  expect(policy.ready(2e9)).toBeUndefined();
  policy.release(1, 3e9);
  expect(policy.ready(3e9)).toEqual({ id: 2, forced: false });
});

test("a chain: an ask passes all its policies, and gives back what it took when it gives up", () => {
  const policy = createPolicy([
    { name: "boot-cap", options: { boots: 2 } },
    { name: "boot-cap", options: { boots: 1 } },
    { name: "psc-rate", options: { scope: "vm", pagesPerSecond: 1000, burstPages: 10 } },
    { name: "psc-rate", options: { scope: "host", pagesPerSecond: 1000, burstPages: 10 } },
    { name: "lazy-accept", options: { share: 0.5, minMiB: 1 } },
  ]);
  expect(policy.decide(boot(0), 0)).toBe(ADMIT);
  expect(policy.decide(boot(1), 0)).toMatchObject({ reason: { cap: 1 } });
  expect(policy.decide(boot(2), 0)).toMatchObject({ reason: { cap: 2 } });
  policy.leave(1, "gave-up", 0);
  expect(policy.ready(0)).toBeUndefined(); // 2 passes the first cap and waits for the second.
  policy.release(0, 0);
  expect(policy.ready(0)).toEqual({ id: 2, forced: false });

  const psc = (id: number, vm: number): Ask => boot(id, { kind: "psc", vm, pages: 10 });
  expect(policy.decide(psc(10, 1), 0)).toBe(ADMIT);
  expect(policy.decide(psc(11, 2), 0)).toMatchObject({ reason: { scope: "host" } });
  expect(policy.decide(psc(12, 1), 0)).toMatchObject({ reason: { scope: "vm" } });
  expect(policy.wakeNs()).toBe(10e6);
  expect(policy.ready(10e6)).toEqual({ id: 11, forced: false });
  expect(policy.ready(10e6)).toBeUndefined();
  expect(policy.ready(20e6)).toEqual({ id: 12, forced: false });
  expect(policy.plan({ memoryPages: 1000, acceptPages: 1000 }).acceptPages).toBe(500);
});

test("chains keep the laws of their members through a restart at any moment", () => {
  const specs = [
    { name: "psc-rate", options: { scope: "vm", pagesPerSecond: 50_000, burstPages: 512 } },
    { name: "psc-quota", options: { pagesPerSecond: 90_000, burstPages: 512, borrow: false } },
    { name: "boot-cap-aimd", options: { bootsStart: 1, order: "tenants" } },
    { name: "boot-cap-work", options: { bootsStart: 2 } },
    { name: "boot-cap", options: { boots: 2 } },
  ];
  const make = () => createPolicy(specs);
  fc.assert(
    fc.property(loads(), fc.nat(100), (load, after) => {
      const exchange = { after, by: (policy: Policy) => restored(policy, make) };
      const outcomes = drive(make(), load);
      expect(drive(make(), load, { exchange })).toEqual(outcomes);
      expect(outcomes.length).toBe(load.asks.length);
    }),
  );
});
