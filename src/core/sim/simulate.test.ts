import { describe, expect, it } from "vitest";
import { COST_KEYS } from "../kernel/cost/cost-table.ts";
import { DESIGNS } from "../kernel/design/index.ts";
import { checkScenario } from "../scenario/read.ts";
import type { Scenario } from "../scenario/scenario.ts";
import type { StormResult } from "./result.ts";
import { simulate } from "./simulate.ts";

/** A storm of small guests: 32 MiB each, accepted in 4 KiB pages, no PSP work to speak of. */
const small = {
  name: "small",
  title: "small",
  host: {
    cpus: 64,
    sockets: 2,
    memoryGiB: 64,
    psp: { updateMs: 0.01, firstUpdateMs: 0, fixedMs: 0 },
  },
  guests: [
    {
      name: "vm",
      count: 16,
      memoryMiB: 32,
      firmwareMiB: 0,
      launchExtraPages: 1,
      kernelMiB: 8,
      phases: [{ kind: "launch" }, { kind: "accept" }, { kind: "run", name: "kernel", ms: 5 }],
    },
  ],
} as const;

type Change = { readonly [key: string]: unknown };

function merge(base: unknown, change: unknown): unknown {
  if (Array.isArray(change) && Array.isArray(base)) {
    return change.map((value, i) => (i < base.length ? merge(base[i], value) : value));
  }
  if (typeof change !== "object" || change === null || Array.isArray(change)) return change;
  const own = (base ?? {}) as Record<string, unknown>;
  const changed = Object.entries(change).map(([key, value]) => [key, merge(own[key], value)]);
  return { ...own, ...Object.fromEntries(changed) };
}

function scenario(...changes: readonly Change[]): Scenario {
  const value = changes.reduce<unknown>((base, change) => merge(base, change), small);
  const names = {
    designs: DESIGNS.map((d) => d.name),
    costTables: ["epyc-milan"],
    costs: COST_KEYS,
  };
  const read = checkScenario(value, names);
  if (read.problems !== undefined) throw new Error(JSON.stringify(read.problems));
  return read.scenario;
}

const run = (...changes: readonly Change[]) => simulate(scenario(...changes));
const vms = (count: number, more: Change = {}) => ({ guests: [{ count, ...more }] });
const design = (name: string) => ({ host: { design: name } });

function meanBootMs(result: StormResult): number {
  return result.vms.reduce((sum, vm) => sum + vm.bootNs, 0) / result.vms.length / 1e6;
}

const lockOf = (result: StormResult, name: string) =>
  result.locks.find((lock) => lock.name === name)!;

describe("the talk's orderings, host of 2022", () => {
  it("boot time is flat up to the knee, then grows with every VM", () => {
    const boots = [1, 2, 4, 16, 32, 64].map((n) => meanBootMs(run(vms(n))));
    // N* = (6 + 1.3 + 1.3 µs)/(1.3 µs and the hand-over), about 6.
    expect(boots[1]! / boots[0]!).toBeLessThan(1.05);
    expect(boots[4]! / boots[3]!).toBeGreaterThan(1.7);
    expect(boots[5]! / boots[4]!).toBeGreaterThan(1.7);
  });

  it("boot time grows in a straight line with background rmpupdate() threads", () => {
    const boots = [0, 4, 8, 16, 32].map((rmpupdateThreads) =>
      meanBootMs(run(vms(1), { background: { rmpupdateThreads } })),
    );
    for (let i = 1; i < boots.length; i += 1) expect(boots[i]!).toBeGreaterThan(boots[i - 1]!);
    const [eight, sixteen, more] = boots.slice(2) as [number, number, number];
    expect(Math.abs((more - sixteen) / (2 * (sixteen - eight)) - 1)).toBeLessThan(0.1);
  });

  it("with cpa_lock: it is to blame, and pgd_lock shows no wait at all", () => {
    const result = run(vms(64));
    expect(result.bottleneck?.name).toBe("cpa_lock");
    expect(lockOf(result, "cpa_lock").utilisation).toBeGreaterThan(0.95);
    expect(lockOf(result, "pgd_lock").acquisitions).toBeGreaterThan(0);
    expect(lockOf(result, "pgd_lock").waitNsTotal).toBe(0);
  });

  it("without cpa_lock: better, and pgd_lock comes to light; per-PMD locks: flat", () => {
    const boots = (name: string) =>
      [1, 64, 256].map((n) => run(vms(n), design(name), { host: { cpus: 256 } }));
    const before = boots("linux-4.20");
    const without = boots("no-cpa-lock");
    const perPmd = boots("per-pmd-lock");
    expect(meanBootMs(without[1]!)).toBeLessThan(meanBootMs(before[1]!) / 4);
    expect(lockOf(without[2]!, "pgd_lock").waitNsTotal).toBeGreaterThan(0);
    // The rest, that even per-PMD locks do not cure, are the flushes' interrupts.
    const accept = (r: StormResult) =>
      r.vms.reduce((sum, vm) => sum + vm.phasesNs.accept!, 0) / r.vms.length;
    expect(accept(without[2]!) / accept(without[0]!)).toBeGreaterThan(1.15);
    expect(accept(perPmd[2]!)).toBeLessThan(accept(without[2]!));
    expect(lockOf(perPmd[2]!, "pmd_lock").waitNsTotal).toBe(0);
  });

  it("a host of 6.9 whose direct map is split already has no contention left", () => {
    const change = { host: { kernel: "6.9+", directMap: { state: "warm" } } };
    const boots = [1, 64].map((n) => run(vms(n), change));
    expect(lockOf(boots[1]!, "cpa_lock").acquisitions).toBe(0);
    // What is left of a slope is the PSP's: one short command for each VM.
    expect(meanBootMs(boots[1]!) / meanBootMs(boots[0]!)).toBeLessThan(1.02);
  });

  it("a cold host of 6.9: every 2 MiB is split once, under a mutex, two spinlocks and a flush", () => {
    const cold = run(vms(64), { host: { kernel: "6.9+", directMap: { state: "cold" } } });
    expect(lockOf(cold, "vmap_purge_lock").acquisitions).toBe(64 * 16);
    // set_memory_4k changes no entry before 6.15: no final flush, only the split's.
    expect(cold.flushes).toBe(64 * 16);
    expect(cold.bottleneck?.name).toBe("cpa_lock");
  });

  it("lazy acceptance and a limit on boots flatten the curve", () => {
    const eager = run(vms(64));
    const lazy = run(vms(64, { acceptance: "lazy", lazyShare: 0.1, lazyMinMiB: 0 }));
    expect(meanBootMs(lazy)).toBeLessThan(meanBootMs(eager) / 3);
    const capped = run(vms(64), { policy: [{ name: "boot-cap", options: { boots: 12 } }] });
    expect(meanBootMs(capped)).toBeLessThan(meanBootMs(eager) * 0.75);
    expect(capped.makespanNs).toBeLessThan(eager.makespanNs * 1.1);
    // Nobody is in service beyond the cap.
    for (const vm of capped.vms) {
      const beside = capped.vms.filter(
        (o) => o.admittedNs <= vm.admittedNs && o.readyNs > vm.admittedNs,
      );
      expect(beside.length).toBeLessThanOrEqual(12);
    }
  });

  it("an abusive guest slows a boot down; a rate limit on its pages gives the time back", () => {
    const victim = vms(1, { memoryMiB: 256 });
    const background = { abusers: { count: 8, vcpus: 2, memoryMiB: 8 } };
    const options = { pagesPerSecond: 20_000, burstPages: 32_768 };
    const alone = meanBootMs(run(victim));
    const abused = meanBootMs(run(victim, { background }));
    const limited = run(victim, { background, policy: [{ name: "psc-rate", options }] });
    expect(abused).toBeGreaterThan(alone * 1.5);
    expect(meanBootMs(limited)).toBeLessThan((alone + abused) / 2);
    // The bound on the delay of one exit: 100 ms, and the guest asked twice.
    expect(limited.vms[0]!.heldBackNs).toBeLessThanOrEqual(200_000_000);
  });
});

describe("every storm", () => {
  const storms: readonly (readonly [string, Change])[] = [
    ["2022", {}],
    [
      "6.9, cold, 1 GiB entries",
      { host: { kernel: "6.9+", directMap: { share1g: 1, share2m: 0 } } },
    ],
    ["scattered memory", { host: { placement: "scattered" } }],
    ["2 MiB pages", vms(16, { pageSize: "2m" })],
    ["2 MiB pages, 6.9", { ...vms(16, { pageSize: "2m" }), host: { kernel: "6.9+" } }],
    ["four vCPUs accept", vms(8, { vcpus: 4, acceptVcpus: 4 })],
    ["page by page", vms(4, { pscEntries: 1 })],
    [
      "overcommit",
      {
        host: { cpus: 4, sockets: 1, coresPerL3: 2 },
        background: { cpuBurners: 3, rmpupdateThreads: 2 },
      },
    ],
    ["INVLPGB", { host: { flush: "broadcast" } }],
    [
      "arrivals by chance",
      { arrivals: { kind: "poisson", perSecond: 50 }, run: { spread: "exponential" } },
    ],
    ["reader-writer lock", design("reader-writer")],
    ["init_mm and cpa_lock", { host: { design: "linux-7.3", kernel: "6.9+" } }],
    ["split mark", { host: { design: "split-mark", placement: "scattered" } }],
  ];

  it.each(storms)("%s: every page once, every wait accounted for, the same again", (_, change) => {
    const asked = scenario(change);
    const result = simulate(asked);
    const pages = asked.guests.reduce((sum, g) => sum + g.count * g.memoryMiB * 256, 0);
    // The last operation of a guest with 2 MiB pages is a whole one.
    const whole = asked.guests.reduce(
      (sum, g) => sum + (g.pageSize === "2m" ? g.count * 511 : 0),
      0,
    );
    if (asked.background.rmpupdateThreads === 0) {
      expect(result.pages).toBeGreaterThanOrEqual(pages);
      expect(result.pages).toBeLessThanOrEqual(pages + whole);
    }
    for (const vm of result.vms) {
      const sum = Object.values(vm.phasesNs).reduce((a, b) => a + b, 0);
      expect(sum).toBeLessThanOrEqual(vm.bootNs);
      expect(vm.readyNs).toBe(vm.requestedNs + vm.bootNs);
      expect(vm.lockWaitNs + vm.pspWaitNs).toBeLessThanOrEqual(
        vm.bootNs * asked.guests[0]!.acceptVcpus,
      );
    }
    const { work, spin, idle } = result.cpu;
    expect(Math.abs(work + spin + idle - 1)).toBeLessThan(1e-6);
    expect(Math.min(work, spin, idle)).toBeGreaterThanOrEqual(0);
    for (const lock of result.locks) expect(lock.utilisation).toBeLessThanOrEqual(1);
    expect(simulate(asked)).toEqual(result);
  });

  it.each(storms)(
    "%s: operation by operation is the same storm, where nothing is drawn",
    (_, change) => {
      const fixed = { run: { spread: "none", phaseSpread: 0 } };
      const sections = run(change, fixed);
      const exact = run(change, fixed, { run: { grain: "exact" } });
      expect(exact.events).toBeGreaterThan(sections.events);
      // Not the same nanosecond: interrupts are paid, and slices end, where events are.
      expect(Math.abs(meanBootMs(exact) / meanBootMs(sections) - 1)).toBeLessThan(0.01);
      expect(Math.abs(exact.pages / sections.pages - 1)).toBeLessThan(0.01);
    },
  );
});

it("a host full of guests has room for what runs beside them; a cost of half a nanosecond is rounded", () => {
  const full = { ...vms(4, { memoryMiB: 256 }), host: { memoryGiB: 1 } };
  const beside = run(full, { background: { rmpupdateThreads: 2 } });
  expect(beside.pages).toBeGreaterThan(run(full).pages);
  const half = run({ host: { costs: { ns: { readPte: 799.5 } } } });
  expect(half.makespanNs).toBe(run({}).makespanNs);
});

it("aggregated: what is too small, or depends on single exits, is run exactly and says so", () => {
  const grain = { run: { grain: "aggregated" } };
  const large = { ...vms(80, { memoryMiB: 256 }), host: { memoryGiB: 64 } };
  const rate = [{ name: "psc-rate", options: {} }];
  expect(run(grain).grain).toBe("sections");
  expect(run(grain, large).grain).toBe("aggregated");
  expect(run(grain, large, vms(20, { memoryMiB: 1024 }), { policy: rate }).grain).toBe("sections");
  expect(run(grain, large).errorBound).toBeGreaterThan(0);
  expect(run(grain).errorBound).toBe(0);
});

it("common random numbers: another design meets the same phases", () => {
  const change = { ...vms(4), run: { phaseSpread: 0.5, seed: 9 } };
  const kernel = (r: StormResult) => r.vms.map((vm) => vm.phasesNs.kernel);
  expect(kernel(run(change, design("no-cpa-lock")))).toEqual(kernel(run(change)));
  expect(kernel(run(change, { run: { seed: 10 } }))).not.toEqual(kernel(run(change)));
});
