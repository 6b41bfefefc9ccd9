import { describe, expect, it } from "vitest";
import { COST_KEYS } from "../kernel/cost/cost-table.ts";
import { DESIGNS } from "../kernel/design/index.ts";
import { checkScenario } from "../scenario/read.ts";
import { plainStorm } from "./plain-storm.ts";
import { simulate } from "./simulate.ts";
import { Storm } from "./storm.ts";

// Against what others measured. docs/validation.md has the same numbers with their story, and says
// which points were fitted.

const names = { designs: DESIGNS.map((d) => d.name), costTables: ["epyc-milan"], costs: COST_KEYS };

function run(file: unknown) {
  const read = checkScenario(file, names);
  if (read.problems !== undefined) throw new Error(JSON.stringify(read.problems));
  return simulate(read.scenario);
}

/** EPYC 7313P, 6.1.0-rc4-snp. */
const severifastHost = (ns: Record<string, number>) => ({
  cpus: 32,
  sockets: 1,
  coresPerL3: 4,
  memoryGiB: 128,
  kernel: "2022",
  costs: { ns },
  psp: { updateMs: 1.003, firstUpdateMs: 0.64, fixedMs: 25 },
});

function slopeOf(points: readonly (readonly [number, number])[]): number {
  const mean = (at: 0 | 1) => points.reduce((sum, p) => sum + p[at], 0) / points.length;
  const [x, y] = [mean(0), mean(1)];
  const above = points.reduce((sum, p) => sum + (p[0] - x) * (p[1] - y), 0);
  return above / points.reduce((sum, p) => sum + (p[0] - x) ** 2, 0);
}

describe("SEVeriFast, QEMU SNP, 1 to 49 VMs of 256 MiB", () => {
  /** SEVeriFast/severifast@c71bf6a figs/paper/concurrent-boot.pdf: the last of N is up, ms. */
  const published = [
    [1, 3994],
    [2, 5422],
    [4, 6038],
    [8, 9030],
    [10, 9669],
    [16, 13439],
    [20, 15711],
    [25, 18483],
    [30, 21270],
    [35, 23757],
    [40, 26341],
    [45, 29627],
    [49, 31144],
  ] as const;

  // Fitted to N = 10 and N = 49 alone: (31144 − 9669)/39 ms a VM, less the PSP's 313, is 3.62 µs a
  // page under cpa_lock, of which the hand-over is 0.2.
  const point = (count: number) =>
    run({
      name: "severifast",
      title: "severifast",
      host: severifastHost({ readPte: 2920 }),
      guests: [
        {
          count,
          memoryMiB: 256,
          firmwareMiB: 1,
          kernelMiB: 16,
          phases: [
            { kind: "launch" },
            { kind: "run", name: "sec-pei", ms: 277 },
            { kind: "accept" },
            { kind: "run", name: "dxe", ms: 700 },
            { kind: "run", name: "bds", ms: 2185 },
            { kind: "run", name: "linux", ms: 562 },
          ],
        },
      ],
      run: { phaseSpread: 0 },
    });
  const simulated = published.map(([n]) => ({ n, result: point(n) }));
  const ms = simulated.map(({ n, result }) => [n, result.makespanNs / 1e6] as const);

  it("slope within 10 % of 556 ms a VM, and every point from 10 VMs up within 10 %", () => {
    expect(Math.abs(slopeOf(ms) / 556 - 1)).toBeLessThan(0.1);
    for (const [i, [n, at]] of published.entries()) {
      if (n >= 10) expect(Math.abs(ms[i]![1] / at - 1), `${n} VMs`).toBeLessThan(0.1);
    }
  });

  it("the slope is the PSP's 313 ms and about 243 ms of cpa_lock", () => {
    const at = (n: number) => simulated.find((s) => s.n === n)!.result;
    const perVm = (name: string) => {
      const held = (n: number) => at(n).locks.find((lock) => lock.name === name)!.holdNsTotal;
      return (held(49) - held(10)) / 39 / 1e6;
    };
    expect(Math.abs(perVm("sev_cmd_mutex") / 313 - 1)).toBeLessThan(0.1);
    expect(Math.abs(perVm("cpa_lock") / 243 - 1)).toBeLessThan(0.1);
    expect(at(49).bottleneck?.name).toBe("sev_cmd_mutex");
  });
});

it("SEVeriFast, Firecracker SNP: slope within 10 % of 33.7 ms a VM, for guests that accept late", () => {
  const points = [1, 10, 20, 30, 40, 49].map((count) => {
    const result = run({
      name: "firecracker",
      title: "firecracker",
      host: severifastHost({}),
      guests: [
        {
          count,
          memoryMiB: 256,
          firmwareMiB: 0,
          launchExtraPages: 9,
          // VMM 74.7, verifier 20.4, loader 6.1, Linux 69.2 ms; the launch is part of the first.
          phases: [
            { kind: "launch" },
            { kind: "run", name: "vmm", ms: 35 },
            { kind: "run", name: "verifier", ms: 20.4 },
            { kind: "run", name: "loader", ms: 6.1 },
            { kind: "run", name: "linux", ms: 69.2 },
          ],
        },
      ],
      run: { phaseSpread: 0 },
    });
    return [count, result.makespanNs / 1e6] as const;
  });
  expect(Math.abs(slopeOf(points) / 33.7 - 1)).toBeLessThan(0.1);
});

it("SEVeriFast, pre-encryption by size: within 2 % from 128 KiB up, 3 % at 64 KiB", () => {
  // figs/paper/pre-encrypt.pdf: KiB, ms.
  const published = [
    [64, 17.2],
    [128, 33.1],
    [256, 65.3],
    [512, 129.5],
    [1024, 257.7],
    [2048, 514],
    [4096, 1027],
    [8192, 2053],
    [16_384, 4107],
    [32_768, 8214],
  ] as const;
  for (const [kib, ms] of published) {
    const result = run({
      name: "pre-encrypt",
      title: "pre-encrypt",
      host: { ...severifastHost({ vmCreate: 0 }), psp: { fixedMs: 0 } },
      guests: [
        { firmwareMiB: 0, launchExtraPages: kib / 4, kernelMiB: 1, phases: [{ kind: "launch" }] },
      ],
    });
    const psp = result.locks.find((lock) => lock.name === "sev_cmd_mutex")!;
    // 0.64 + 1.003 a page is a line through all fourteen points; it misses the short ones a little.
    const tolerance = kib === 64 ? 0.031 : 0.02;
    expect(Math.abs(psp.holdNsTotal / 1e6 / ms - 1), `${kib} KiB`).toBeLessThan(tolerance);
  }
});

it("MCS lock by Boyd-Wickizer's chain: speed-up within 3 %", () => {
  // a 10 µs outside, s 0.5 µs held, c 0.1 µs for a hand-over behind a waiter.
  const chain = [
    [8, 7.75],
    [16, 14.18],
    [20, 16.2],
    [24, 17.18],
    [32, 17.5],
    [48, 17.5],
  ] as const;
  for (const [tasks, speedUp] of chain) {
    const storm = new Storm(
      plainStorm({
        tasks,
        pages: 10 ** 8,
        holdNs: 500,
        thinkNs: 10_000,
        spread: "exponential",
        costs: { lineL3: 50 },
        seed: 5,
      }),
    );
    storm.run(10_000);
    const before = { ns: storm.nowNs, operations: storm.operations };
    storm.run(300_000);
    const rate = (storm.operations - before.operations) / (storm.nowNs - before.ns);
    expect(Math.abs((rate * 10_500) / speedUp - 1), `${tasks} CPUs`).toBeLessThan(0.03);
  }
});
