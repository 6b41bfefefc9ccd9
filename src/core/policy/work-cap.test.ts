import { expect, test } from "vitest";
import { randomFrom } from "../random.ts";
import type { Ask, OptionValue, Policy } from "./policy.ts";
import { POLICIES } from "./registry.ts";

const S = 1e9;
const PAGES = 262_144;

interface Host {
  readonly cpus: number;
  /** Of a boot among `n` in service. */
  readonly cpuNs: (n: number) => number | undefined;
  readonly latencyNs: (n: number) => number;
  readonly idleShare: (n: number) => number;
  readonly bootShare?: (n: number) => number;
  readonly bootWeight?: (n: number) => number;
  readonly failed?: (boot: number) => boolean;
  readonly pages?: (boot: number) => number;
}

/** Computes for as long as it lives, and nobody is in its way. */
const FREE: Host = {
  cpus: 64,
  cpuNs: () => S,
  latencyNs: () => S,
  idleShare: (n) => Math.max(0, 1 - n / 64),
};

interface Storm {
  readonly boots: number;
  readonly options?: Readonly<Record<string, OptionValue>>;
  /** It goes on with a policy that has seen other storms. */
  readonly policy?: Policy;
}

/**
 * So many launchers ask at once; boots end in the order in which they began. A law on what a policy
 * makes of its samples, not a host: times do not follow from each other.
 * @returns the cap after each end
 */
function capsIn(host: Host, { boots, options = {}, policy = create(options) }: Storm) {
  const caps: number[] = [];
  const line: number[] = [];
  let nowNs = 0;
  const ask = (id: number): Ask => {
    return { id, kind: "boot", vm: id, tenant: 0, pages: PAGES, priority: 0 };
  };
  const first = policy.gauges().inService! + policy.gauges().waiting!;
  for (let id = first; id < first + boots; id += 1) {
    if (policy.decide(ask(id), nowNs).kind === "admit") line.push(id);
  }
  for (let boot = line.shift(); boot !== undefined; boot = line.shift()) {
    nowNs += S / 10;
    const n = policy.gauges().inService!;
    const { cpus } = host;
    const idleShare = host.idleShare(n);
    const bootShare = host.bootShare?.(n) ?? 1 - idleShare;
    const bootWeight = host.bootWeight?.(n) ?? 1;
    policy.observe({ kind: "host-cpu", cpus, idleShare, bootShare, bootWeight }, nowNs);
    const cpuNs = host.cpuNs(n);
    policy.observe(
      {
        kind: "boot-finished",
        latencyNs: host.latencyNs(n),
        failed: host.failed?.(boot) ?? false,
        ...(cpuNs === undefined ? {} : { cpuNs }),
        ...(host.pages === undefined ? {} : { pages: host.pages(boot) }),
      },
      nowNs,
    );
    policy.release(boot, nowNs);
    for (let go = policy.ready(nowNs); go !== undefined; go = policy.ready(nowNs)) line.push(go.id);
    caps.push(policy.gauges().cap!);
  }
  return { caps, last: caps.at(-1)!, policy };
}

const create = (options: Readonly<Record<string, OptionValue>> = {}) =>
  POLICIES.get("boot-cap-work")!.create(options);

/** Behind a lock that serves `knee` boots without a wait. */
const spinning = (knee: number): Host => ({
  ...FREE,
  cpuNs: (n) => S * Math.max(1, n / knee),
  latencyNs: (n) => S * Math.max(1, n / knee),
});

test("while CPUs are idle and launchers wait it grows fourfold a round, up to the CPUs", () => {
  const { caps } = capsIn(FREE, { boots: 400 });
  expect([...new Set(caps)]).toEqual([4, 16, 64]);
});

test("a cap that nobody waits for does not grow", () => {
  expect(capsIn(FREE, { boots: 4 }).last).toBe(4);
});

test.each([3, 7, 20])("a lock with a knee of %i: twice the knee, from then on", (knee) => {
  const { caps } = capsIn(spinning(knee), { boots: 2000 });
  // What few boots take is measured with four, which the knee of 3 has already lengthened.
  const least = Math.max(1, 4 / knee);
  for (const cap of caps.slice(-1000)) {
    const isMeasuring = cap === 4;
    if (isMeasuring) continue;
    expect(cap).toBeGreaterThanOrEqual(Math.floor(2 * knee * least * 0.85));
    expect(cap).toBeLessThanOrEqual(Math.ceil(2 * knee * least * 1.15));
  }
});

test("boots that only share CPUs, by whatever factor they are late, do not bring the cap below the CPUs", () => {
  const late = { ...FREE, cpus: 2, latencyNs: (n: number) => n * 5 * S, idleShare: () => 0 };
  expect(new Set(capsIn(late, { boots: 300 }).caps)).toEqual(new Set([2]));
});

test("single boots that scatter by 16 % do not bring the cap below the CPUs", () => {
  const random = randomFrom(1);
  // Twelve uniform draws make a normal one, of standard deviation 1.
  const draw = () =>
    Array.from({ length: 12 }, () => random.u32() / 2 ** 32).reduce((a, b) => a + b, -6);
  const noisy = { ...FREE, cpus: 2, idleShare: () => 0, cpuNs: () => S * (1 + 0.16 * draw()) };
  expect(new Set(capsIn(noisy, { boots: 20_000 }).caps)).toEqual(new Set([2]));
});

test("boots that take longer while CPUs are idle queue for something else", () => {
  const queueing = { ...FREE, cpus: 256, idleShare: () => 0.97, latencyNs: spinning(6).latencyNs };
  const { caps } = capsIn(queueing, { boots: 2000 });
  expect(Math.max(...caps.slice(-500))).toBeLessThanOrEqual(14);
  expect(Math.min(...caps.slice(-500).filter((cap) => cap > 4))).toBeGreaterThanOrEqual(10);
});

test("beyond the CPUs: as many as fill what is left idle, unless they cost each other more", () => {
  const idle = (n: number) => Math.max(0, 1 - n / 3);
  const waiting: Host = { ...FREE, cpus: 2, idleShare: idle };
  const mean = (host: Host) => {
    const { caps } = capsIn(host, { boots: 400 });
    return caps.slice(100, 300).reduce((sum, cap) => sum + cap, 0) / 200;
  };
  expect(Math.abs(mean(waiting) - 3)).toBeLessThan(0.2); // Now and then one less is tried.
  expect(mean({ ...waiting, cpuNs: (n) => S * (1 + 0.4 * (n - 2)) })).toBeLessThan(2.6);
});

test("beside neighbours: 1 + b/n is 5 % more than without a limit", () => {
  // Two CPUs, two that burn, 100 boots: n = 100·2/(0.05·100 + 1.05·2) = 28.
  const shared = (n: number) => n / (n + 2);
  const beside: Host = { ...FREE, cpus: 2, idleShare: () => 0, bootShare: shared };
  const { caps } = capsIn(beside, { boots: 100 });
  expect(caps[40]).toBe(28);
  // Those who yield, because boots have ten times their weight, count as a tenth.
  const yielding = { ...beside, bootShare: (n: number) => n / (n + 0.2) };
  expect(capsIn(yielding, { boots: 100 }).caps[40]).toBe(3);
});

test("boots in service that weigh as much as all: neighbours gain nothing by a cap, and none is raised", () => {
  const beside: Host = { ...FREE, cpus: 2, idleShare: () => 0, bootShare: () => 100 / 102 };
  const { caps } = capsIn({ ...beside, bootWeight: (n) => 100 / n }, { boots: 100 });
  expect(Math.max(...caps.slice(0, 90))).toBe(2);
});

test("boots of another size are not boots that have become slower; told apart by memory alone", () => {
  const large = { ...FREE, cpuNs: () => 60 * S, latencyNs: () => 60 * S };
  const capsAfterSmall = (pages: ((boot: number) => number) | undefined, then: typeof pages) => {
    const told = (of: typeof pages) => (of === undefined ? {} : { pages: of });
    const { policy } = capsIn({ ...FREE, ...told(pages) }, { boots: 400 });
    return capsIn({ ...large, ...told(then) }, { boots: 400, policy }).caps;
  };
  expect(
    new Set(
      capsAfterSmall(
        () => PAGES,
        () => 64 * PAGES,
      ),
    ),
  ).toEqual(new Set([64]));
  expect(Math.min(...capsAfterSmall(undefined, undefined))).toBeLessThan(16);
});

test("failed boots are not measured", () => {
  const { caps } = capsIn({ ...FREE, failed: () => true }, { boots: 100 });
  expect(new Set(caps)).toEqual(new Set([4]));
});

test("without CPU times idle CPUs still raise it, and time behind a queue still cuts it", () => {
  const quiet = (host: Host): Host => ({ ...host, cpuNs: () => undefined });
  expect(capsIn(quiet(FREE), { boots: 400 }).last).toBe(64);
  expect(capsIn(quiet(spinning(7)), { boots: 1000 }).last).toBeLessThanOrEqual(16);
});

test("images change: what boots take with few beside them is measured anew, and the cap comes back", () => {
  const policy = create();
  capsIn(FREE, { boots: 400, policy });
  const heavier = { ...FREE, cpuNs: () => 3 * S, latencyNs: () => 3 * S };
  const { caps } = capsIn(heavier, { boots: 3000, policy });
  expect(Math.min(...caps)).toBeLessThan(16);
  expect(caps.at(-1)).toBeGreaterThan(0.95 * 64);
});

test("under a cap that has sunk the least is measured anew, from time to time", () => {
  const { caps } = capsIn(spinning(7), { boots: 3000 });
  const settled = caps.slice(300);
  const measuring = settled.filter((cap) => cap === 4).length;
  expect(measuring).toBeGreaterThan(0);
  expect(measuring / settled.length).toBeLessThan(0.1);
});
