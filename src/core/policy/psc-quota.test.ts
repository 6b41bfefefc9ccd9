import fc from "fast-check";
import { expect, test } from "vitest";
import { drive, loads } from "../../../test/conformance/policy.ts";
import { nextTurn, takeTurn } from "./drr.ts";
import { ADMIT, type Ask, type OptionValue, type Policy } from "./policy.ts";
import { POLICIES } from "./registry.ts";

const create = (options: Record<string, OptionValue>): Policy =>
  POLICIES.get("psc-quota")!.create(options);

/** Who always wants: as soon as one of its exits has gone, the next one asks. */
interface Greedy {
  readonly vm: number;
  readonly tenant: number;
  /** Pages of its exits, in turn. */
  readonly pages: readonly number[];
}

/** Runs them for a while. @returns pages that each has got by the end */
function compete(policy: Policy, greedy: readonly Greedy[], untilNs: number): number[] {
  const got = greedy.map(() => 0);
  const turns = greedy.map(() => 0);
  let nowNs = 0;
  let id = 0;
  const owners = new Map<number, { who: number; pages: number }>();
  const askNext = (who: number) => {
    for (;;) {
      const { vm, tenant, pages } = greedy[who]!;
      const ask: Ask = {
        id,
        kind: "psc",
        vm,
        tenant,
        pages: pages[turns[who]! % pages.length]!,
        priority: 0,
      };
      id += 1;
      turns[who]! += 1;
      if (policy.decide(ask, nowNs) !== ADMIT) {
        owners.set(ask.id, { who, pages: ask.pages });
        return;
      }
      got[who]! += ask.pages;
    }
  };
  for (let who = 0; who < greedy.length; who += 1) askNext(who);
  while (policy.wakeNs() <= untilNs) {
    nowNs = Math.max(nowNs, policy.wakeNs());
    for (let grant = policy.ready(nowNs); grant !== undefined; grant = policy.ready(nowNs)) {
      const { who, pages } = owners.get(grant.id)!;
      got[who]! += pages;
      askNext(who);
    }
  }
  return got;
}

const SECOND = 1e9;

test("VMs that always want get the same, whatever the sizes of their exits (DRR bound)", () => {
  const cases = fc.record({
    sizes: fc.array(fc.array(fc.integer({ min: 1, max: 4000 }), { minLength: 1, maxLength: 4 }), {
      minLength: 2,
      maxLength: 5,
    }),
    quantumPages: fc.constantFrom(64, 512, 4096),
    burstPages: fc.constantFrom(1, 512, 8192),
    fromNs: fc.nat(SECOND),
  });
  fc.assert(
    fc.property(cases, ({ sizes, quantumPages, burstPages, fromNs }) => {
      const greedy = sizes.map((pages, vm) => ({ vm, tenant: 0, pages }));
      const until = (ns: number) =>
        compete(create({ pagesPerSecond: 100_000, burstPages, quantumPages }), greedy, ns);
      // Any interval in which all of them want; at 0 the first ones take the full bucket.
      const before = until(fromNs);
      const got = until(2 * SECOND).map((pages, i) => pages - before[i]!);
      const max = Math.max(...sizes.flat());
      const spread = Math.max(...got) - Math.min(...got);
      expect(spread).toBeLessThanOrEqual(4 * quantumPages + 2 * max);
    }),
  );
});

test("tenants share in proportion to their weights, not to their VMs or the size of exits", () => {
  const policy = create({
    pagesPerSecond: 100_000,
    burstPages: 64,
    tenants: [
      { tenant: 0, weight: 3 },
      { tenant: 1, weight: 1 },
    ],
  });
  const one = { vm: 0, tenant: 0, pages: [16] };
  const many = Array.from({ length: 9 }, (_, i) => ({ vm: 1 + i, tenant: 1, pages: [64] }));
  const [first, ...others] = compete(policy, [one, ...many], 4 * SECOND);
  const rest = others.reduce((sum, pages) => sum + pages, 0);
  // In quanta: 4 + 16/1536 + 64/512.
  expect(Math.abs(first! / 1536 - rest / 512)).toBeLessThanOrEqual(4 + 16 / 1536 + 64 / 512);
  expect(first! + rest).toBeGreaterThanOrEqual(400_000 - 64);
  expect(Math.max(...others) - Math.min(...others)).toBeLessThanOrEqual(4 * 512 + 2 * 64);
});

test("a tenant within its quota is served at its quota, however many others borrow", () => {
  const policy = create({
    pagesPerSecond: 100_000,
    burstPages: 64,
    quotaBurstPages: 512,
    tenants: [
      { tenant: 0, pagesPerSecond: 60_000 },
      { tenant: 1, pagesPerSecond: 10_000 },
      { tenant: 2, pagesPerSecond: 10_000 },
    ],
  });
  const greedy = [0, 1, 2].map((tenant) => ({ vm: tenant, tenant, pages: [64] }));
  const [first, second, third] = compete(policy, greedy, SECOND);
  expect(first).toBeGreaterThanOrEqual(60_000 - 2 * 64);
  expect(second).toBeGreaterThanOrEqual(10_000 - 2 * 64);
  expect(third).toBeGreaterThanOrEqual(10_000 - 2 * 64);
  // Nothing is left idle: 20,000 of the host are spare, and borrowed.
  expect(first! + second! + third!).toBeGreaterThanOrEqual(100_000 - 2 * 64);
});

test("without borrowing nobody gets more than the quota, though the host is idle", () => {
  const policy = create({
    pagesPerSecond: 1_000_000,
    borrow: false,
    vmPagesPerSecond: 1000,
    tenantPagesPerSecond: 1500,
    quotaBurstPages: 100,
  });
  const greedy = [0, 1, 2].map((vm) => ({ vm, tenant: vm >> 1, pages: [10] }));
  const [a, b, alone] = compete(policy, greedy, SECOND);
  expect(alone).toBe(1100);
  expect(a! + b!).toBe(1600);
});

test("the host never converts above its rate, whoever borrows and however late timers ring", () => {
  const options = fc.record({
    pagesPerSecond: fc.integer({ min: 1000, max: 10_000_000 }),
    burstPages: fc.integer({ min: 1, max: 20_000 }),
    vmPagesPerSecond: fc.constantFrom(0, 500, 100_000),
    tenantPagesPerSecond: fc.constantFrom(0, 700, 200_000),
    borrow: fc.boolean(),
  });
  fc.assert(
    fc.property(options, loads({ kinds: ["psc"] }), (given, load) => {
      const went = drive(create(given), load)
        .filter(({ end }) => end !== "gave-up")
        .map(({ id, atNs }) => ({ atNs, pages: load.asks[id]!.pages }));
      for (let i = 0; i < went.length; i += 1) {
        let pages = 0;
        for (const each of went.slice(i)) {
          pages += each.pages;
          const spare = BigInt(pages - Math.max(given.burstPages, went[i]!.pages)) * 1_000_000_000n;
          const windowNs = BigInt(each.atNs - went[i]!.atNs);
          expect(spare <= BigInt(given.pagesPerSecond) * windowNs).toBe(true);
        }
      }
    }),
  );
});

test("with borrowing the host is busy while anyone waits: as a single first-come bucket would be", () => {
  // The host's bucket is the same, so the last of a load goes when it would go from that bucket.
  const loadsOfEqualSize = loads({ kinds: ["psc"], patience: false, late: false }).map((load) => ({
    ...load,
    asks: load.asks.map((ask) => ({ ...ask, pages: 64 })),
  }));
  const options = fc.record({
    pagesPerSecond: fc.integer({ min: 1000, max: 200_000 }),
    burstPages: fc.integer({ min: 64, max: 5000 }),
    vmPagesPerSecond: fc.constantFrom(0, 500, 100_000),
  });
  fc.assert(
    fc.property(options, loadsOfEqualSize, (given, load) => {
      const { pagesPerSecond, burstPages } = given;
      const rate = POLICIES.get("psc-rate")!;
      const plain = rate.create({ scope: "host", pagesPerSecond, burstPages });
      const times = (policy: Policy) =>
        drive(policy, load)
          .map(({ atNs }) => atNs)
          .toSorted((a, b) => a - b);
      expect(times(create(given))).toEqual(times(plain));
    }),
  );
});

test("25 pages of one for every 25 of the other; asking whose turn it is changes nothing", () => {
  const waiting = [
    { name: "a", deficit: 0, round: -1, quantum: 10 },
    { name: "b", deficit: 0, round: -1, quantum: 10 },
  ];
  const turns = { waiting, round: 0 };
  const need = (flow: { name: string }) => (flow.name === "a" ? 25 : 5);
  const served: string[] = [];
  for (let i = 0; i < 24; i += 1) {
    const flow = nextTurn(turns, need)!;
    expect(nextTurn(turns, need)).toBe(flow);
    takeTurn(turns, flow, need(flow));
    served.push(flow.name);
  }
  expect(served.join("")).toBe("bbbbabbbbabbbbbbabbbbabb");
  expect(nextTurn(turns, () => 0)).toBeUndefined();
});

test("who wants nothing for many rounds comes back with one quantum, not with all it missed", () => {
  const waiting = ["a", "b"].map((name) => ({ name, deficit: 0, round: -1, quantum: 10 }));
  const turns = { waiting, round: 0 };
  const serve = (need: (flow: { name: string }) => number) => {
    const flow = nextTurn(turns, need)!;
    takeTurn(turns, flow, need(flow));
    return flow.name;
  };
  for (let i = 0; i < 100; i += 1) expect(serve(({ name }) => (name === "a" ? 5 : 0))).toBe("a");
  const both = Array.from({ length: 8 }, () => serve(() => 5)).join("");
  expect(both).toMatch(/^[ab]{8}$/);
  expect(both.replaceAll("a", "").length).toBeGreaterThanOrEqual(3);
  expect(both.replaceAll("a", "").length).toBeLessThanOrEqual(5);
});

test.each([
  ["the host's", {}],
  ["a tenant's", { tenantPagesPerSecond: 999_983 }],
  ["a VM's", { vmPagesPerSecond: 999_983 }],
])(
  "a million asks in one virtual second: %s bucket gives the k-th page at ⌈(k − burst)·10⁹/rate⌉ ns",
  (whose, quota) => {
    const rate = 999_983; // Prime: no ask falls on a whole ns but the last.
    const burst = 17;
    const host = whose === "the host's" ? rate : 1_000_000_000;
    const policy = create({
      ...{ pagesPerSecond: host, burstPages: burst, quotaBurstPages: burst, borrow: false },
      ...quota,
    });
    let wrong = 0;
    let nowNs = 0;
    for (let id = 0; id < 1_000_000; id += 1) {
      const ask: Ask = { id, kind: "psc", vm: 1, tenant: 0, pages: 1, priority: 0 };
      if (policy.decide(ask, nowNs) !== ADMIT) {
        nowNs = policy.wakeNs();
        if (policy.ready(nowNs)?.id !== id) wrong += 1;
      }
      const dueNs = Number(
        (BigInt(Math.max(0, id + 1 - burst)) * 1_000_000_000n + BigInt(rate - 1)) / BigInt(rate),
      );
      if (nowNs !== dueNs) wrong += 1;
    }
    expect(wrong).toBe(0);
    expect(nowNs).toBe(SECOND); // (10⁶ − 17)/999,983 s
  },
);
