import fc from "fast-check";
import { expect, test } from "vitest";
import { drive, type Load, loads } from "../../../test/conformance/policy.ts";
import { ADMIT, type Ask, NEVER, PAGES_PER_ASK_MAX, type Policy } from "./policy.ts";
import { createPolicy, POLICIES } from "./registry.ts";

const create = (options: Record<string, number | string>): Policy =>
  POLICIES.get("psc-rate")!.create(options);

const psc = (id: number, pages: number, vm = 0): Ask => ({
  id,
  kind: "psc",
  vm,
  tenant: vm >> 1,
  pages,
  priority: 0,
});

/** When each ask goes that is made as soon as the one before it has gone. */
function closedLoop(policy: Policy, pages: number, count: number, costNs: number): number[] {
  const went: number[] = [];
  let nowNs = 0;
  for (let id = 0; id < count; id += 1) {
    if (policy.decide(psc(id, pages), nowNs) !== ADMIT) {
      nowNs = policy.wakeNs();
      expect(policy.ready(nowNs)).toEqual({ id, forced: false });
    }
    went.push(nowNs);
    nowNs += costNs;
  }
  return went;
}

/** The first integer ns at which the k-th page (from 1) may have gone: ⌈(k − burst)·10⁹/rate⌉. */
function pageDueNs(k: number, burst: number, rate: number): number {
  const scaled = BigInt(Math.max(0, k - burst)) * 1_000_000_000n;
  return Number((scaled + BigInt(rate) - 1n) / BigInt(rate));
}

const rates = fc.oneof(
  fc.constantFrom(100, 999_983, 1_000_000, 3_000_000, 1e9),
  fc.integer({ min: 100, max: 1_000_000_000 }),
);
const bursts = fc.oneof(fc.constantFrom(1, 64, 16_384), fc.integer({ min: 1, max: 5000 }));
const scopes = fc.constantFrom("vm", "tenant", "host");

test("a million asks in one virtual second go at ⌈(k − burst)·10⁹/rate⌉ ns, none a ns off", () => {
  const rate = 999_983; // Prime: no ask falls on a whole ns but the last.
  const policy = create({ scope: "host", pagesPerSecond: rate, burstPages: 17 });
  const count = 1_000_000;
  let wrong = 0;
  let nowNs = 0;
  for (let id = 0; id < count; id += 1) {
    if (policy.decide(psc(id, 1), nowNs) !== ADMIT) {
      nowNs = policy.wakeNs();
      if (policy.ready(nowNs)?.id !== id) wrong += 1;
    }
    if (nowNs !== pageDueNs(id + 1, 17, rate)) wrong += 1;
  }
  expect(wrong).toBe(0);
  expect(nowNs).toBe(1_000_000_000); // (10⁶ − 17)/999,983 s
});

test("one guest's M pages of cost c take max(M·c, max(0, M − b)·p + c), page by page", () => {
  // The closed form max(M·c, (M−b)·p+c), for rates of a whole number of ns a page.
  const cases = fc.record({
    pageNs: fc.constantFrom(1, 10, 1000, 12_500, 1_000_000),
    burst: fc.integer({ min: 1, max: 60 }),
    pages: fc.integer({ min: 1, max: 200 }),
    costNs: fc.nat(20_000),
  });
  fc.assert(
    fc.property(cases, ({ pageNs, burst, pages, costNs }) => {
      const policy = create({ pagesPerSecond: 1e9 / pageNs, burstPages: burst });
      const lastNs = closedLoop(policy, 1, pages, costNs).at(-1)!;
      const formulaNs = Math.max(pages * costNs, Math.max(0, pages - burst) * pageNs + costNs);
      expect(lastNs + costNs).toBe(formulaNs);
    }),
  );
});

test("asked without a pause, the k-th ask of n pages goes when the bucket has given k·n", () => {
  // n below the burst: a bucket that holds n and no more overflows while a due time is rounded up
  // to a whole ns, and what has run over is gone.
  const cases = fc
    .tuple(rates, bursts, fc.nat(), fc.integer({ min: 1, max: 30 }))
    .map(([rate, burst, n, count]) => ({ rate, burst: burst + 1, pages: 1 + (n % burst), count }));
  fc.assert(
    fc.property(cases, ({ rate, burst, pages, count }) => {
      const policy = create({ pagesPerSecond: rate, burstPages: burst });
      const went = closedLoop(policy, pages, count, 0);
      expect(went).toEqual(went.map((_, k) => pageDueNs((k + 1) * pages, burst, rate)));
    }),
  );
});

test("in every window no more than max(burst, first ask) + rate·w pages, however late timers ring", () => {
  const cases = fc.tuple(scopes, rates, bursts, loads({ kinds: ["psc"] }));
  fc.assert(
    fc.property(cases, ([scope, pagesPerSecond, burstPages, load]) => {
      const policy = create({ scope, pagesPerSecond, burstPages });
      for (const line of linesOf(load, policy, scope)) {
        expect(windowExcess(line, burstPages, pagesPerSecond)).toEqual([]);
      }
    }),
  );
});

test("the bound on delays forces some through; the others keep to the rate, and so does their sum", () => {
  const cases = fc.tuple(rates, bursts, fc.nat(300), loads({ kinds: ["psc"] }));
  fc.assert(
    fc.property(cases, ([pagesPerSecond, burstPages, pscDelayMaxMs, load]) => {
      const options = { scope: "host", pagesPerSecond, burstPages, pscDelayMaxMs };
      const policy = createPolicy([{ name: "psc-rate", options }]);
      const kept = drive(policy, load).filter(({ end }) => end === "admitted" || end === "granted");
      const line = kept.map(({ id, atNs }) => ({ atNs, pages: load.asks[id]!.pages }));
      expect(windowExcess(line, burstPages, pagesPerSecond)).toEqual([]);
    }),
  );
});

test("a brute-force bucket that counts tokens each ns lets the same asks go at the same time", () => {
  // 1 page per 100 ns; tokens in hundredths of a page, so that a ns is one of them.
  const gaps = fc.array(fc.tuple(fc.nat(400), fc.integer({ min: 1, max: 6 })), { maxLength: 25 });
  fc.assert(
    fc.property(gaps, fc.integer({ min: 6, max: 12 }), (asks, burst) => {
      let atNs = 0;
      const list = asks.map(([gap, pages]) => {
        atNs += gap;
        return { atNs, pages };
      });
      const policy = create({ scope: "host", pagesPerSecond: 10_000_000, burstPages: burst });
      const load = loadOf(list);
      const went = drive(policy, load)
        .toSorted((a, b) => a.id - b.id)
        .map((each) => each.atNs);
      expect(went).toEqual(countedBucket(list, burst));
    }),
  );
});

test("VMs do not feel each other's buckets; asks of one go in the order they came", () => {
  const policy = create({ scope: "vm", pagesPerSecond: 1000, burstPages: 10 });
  expect(policy.decide(psc(0, 10, 1), 0)).toBe(ADMIT);
  expect(policy.decide(psc(1, 5, 1), 0)).toEqual({
    kind: "delay",
    untilNs: 5_000_000,
    reason: { rule: "rate", scope: "vm", pagesPerSecond: 1000 },
  });
  expect(policy.decide(psc(2, 1, 1), 0)).toMatchObject({ untilNs: 6_000_000 });
  expect(policy.decide(psc(3, 10, 2), 0)).toBe(ADMIT);
  expect(policy.ready(4_999_999)).toBeUndefined();
  expect(policy.ready(5_000_000)).toEqual({ id: 1, forced: false });
  expect(policy.ready(5_000_000)).toBeUndefined();
  expect(policy.wakeNs()).toBe(6_000_000);
  policy.leave(2, "gave-up", 5_500_000);
  expect(policy.wakeNs()).toBe(NEVER);
});

test("the largest ask at the lowest rate after 50 days is still exact", () => {
  const policy = create({ scope: "host", pagesPerSecond: 100, burstPages: 1 });
  const nowNs = 50 * 86_400e9;
  const decision = policy.decide(psc(0, PAGES_PER_ASK_MAX), nowNs);
  expect(decision).toMatchObject({ untilNs: nowNs + (PAGES_PER_ASK_MAX - 1) * 1e7 });
});

test("an exit that the bound let go empties the bucket but leaves no debt", () => {
  const options = { scope: "vm", pagesPerSecond: 1000, burstPages: 10, pscDelayMaxMs: 100 };
  const policy = createPolicy([{ name: "psc-rate", options }]);
  expect(policy.decide(psc(0, 100_000), 0)).toMatchObject({ untilNs: 100e6 });
  expect(policy.ready(100e6)).toEqual({ id: 0, forced: true });
  expect(policy.decide(psc(1, 1), 100e6)).toMatchObject({ untilNs: 101e6 });
});

function loadOf(list: readonly { atNs: number; pages: number }[]): Load {
  return {
    asks: list.map(({ atNs, pages }) => ({
      atNs,
      kind: "psc",
      vm: 0,
      tenant: 0,
      pages,
      priority: 0,
      bootNs: 0,
      failed: false,
    })),
    samples: [],
    lateNs: [],
  };
}

/** What went, for each bucket in the order it went. */
function linesOf(load: Load, policy: Policy, scope: string) {
  const lines = new Map<number, { atNs: number; pages: number }[]>();
  for (const { id, atNs, end } of drive(policy, load)) {
    if (end === "gave-up") continue;
    const ask = load.asks[id]!;
    const key = scope === "vm" ? ask.vm : scope === "tenant" ? ask.tenant : 0;
    lines.set(key, [...(lines.get(key) ?? []), { atNs, pages: ask.pages }]);
  }
  return [...lines.values()];
}

/** All windows from one ask to a later one that hold too much, in exact integers. */
function windowExcess(
  line: readonly { atNs: number; pages: number }[],
  burst: number,
  rate: number,
): string[] {
  const excess: string[] = [];
  line.forEach((first, i) => {
    let pages = 0;
    for (const each of line.slice(i)) {
      pages += each.pages;
      const spare = BigInt(pages - Math.max(burst, first.pages)) * 1_000_000_000n;
      if (spare > BigInt(rate) * BigInt(each.atNs - first.atNs)) {
        excess.push(`${pages} pages in ${each.atNs - first.atNs} ns`);
      }
    }
  });
  return excess;
}

/** First come, first served from a bucket that gains 1/100 page each ns. */
function countedBucket(asks: readonly { atNs: number; pages: number }[], burst: number): number[] {
  const went: number[] = [];
  let tokens = burst * 100;
  for (let ns = 0; went.length < asks.length; ns += 1) {
    if (ns > 0) tokens = Math.min(burst * 100, tokens + 1);
    for (;;) {
      const next = asks[went.length];
      if (next === undefined || next.atNs > ns || next.pages * 100 > tokens) break;
      tokens -= next.pages * 100;
      went.push(ns);
    }
  }
  return went;
}
