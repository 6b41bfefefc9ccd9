import { describe, expect, it } from "vitest";
import { fleet } from "../../../test/sim/fleet.ts";
import { costsNs, EPYC_MILAN } from "../kernel/cost/cost-table.ts";
import { DESIGN_BY_NAME } from "../kernel/design/index.ts";
import type { Policy, Sample } from "../policy/policy.ts";
import { createPolicy } from "../policy/registry.ts";
import { aggregate } from "./aggregate.ts";
import { plainStorm } from "./plain-storm.ts";
import type { StormResult } from "./result.ts";
import type { StormSetup } from "./setup.ts";
import { runStorm } from "./storm.ts";
import { cappedStorm } from "./theory.ts";

// The governor's own policies, in a storm that theory can follow.

describe("a cap on concurrent boots", () => {
  const storm = { tasks: 64, pages: 2000, holdNs: 500, thinkNs: 4000 };

  it.each([1, 2, 4, 8, 16, 32, 64])("%i at once: mean and last as in closed form", (cap) => {
    const policy = createPolicy([{ name: "boot-cap", options: { boots: cap } }]);
    const { vms, makespanNs } = runStorm(plainStorm({ ...storm, policy }));
    const mean = vms.reduce((sum, vm) => sum + vm.bootNs, 0) / vms.length;
    const theory = cappedStorm(storm, cap);
    // A wave's last page is done by one VM after the other: (cap − 1)·S of a wave's M·C, and less.
    const edge = 1 / storm.pages + 0.0003;
    expect(Math.abs(mean / theory.meanNs - 1)).toBeLessThan(edge);
    expect(Math.abs(makespanNs / theory.lastNs - 1)).toBeLessThan(edge);
  });

  it("the best cap is N* to 2N*: mean down by 38 to 42 %, makespan up by at most 8 %", () => {
    const run = (boots: number) => {
      const policy = createPolicy([{ name: "boot-cap", options: { boots } }]);
      const { vms, makespanNs } = runStorm(plainStorm({ ...storm, policy }));
      return { mean: vms.reduce((sum, vm) => sum + vm.bootNs, 0) / vms.length, makespanNs };
    };
    const all = run(64);
    for (const cap of [10, 16]) {
      const { mean, makespanNs } = run(cap);
      expect(mean / all.mean).toBeGreaterThan(0.57);
      expect(mean / all.mean).toBeLessThan(0.63);
      expect(makespanNs / all.makespanNs).toBeLessThan(1.081);
    }
  });
});

describe("a token bucket on pages", () => {
  const pages = 400;
  const pageNs = 4500;

  it.each([
    [1_000_000, 1],
    [100_000, 1],
    [100_000, 64],
    [20_000, 10],
    [5000, 399],
    [5000, 400],
    [400_000, 5],
  ])("%i pages/s, burst %i: T = max(M·c, (M−b)·p + c)", (pagesPerSecond, burstPages) => {
    const policy = createPolicy([
      { name: "psc-rate", options: { pagesPerSecond, burstPages, pscDelayMaxMs: 100 } },
    ]);
    const storm = { tasks: 1, pages, holdNs: 500, thinkNs: pageNs - 500, policy, batch: 1 };
    const p = 1e9 / pagesPerSecond;
    const theory = Math.max(pages * pageNs, Math.max(0, pages - burstPages) * p + pageNs);
    const { vms } = runStorm(plainStorm(storm));
    // A bucket is measured in whole nanoseconds.
    expect(Math.abs(vms[0]!.bootNs - theory)).toBeLessThanOrEqual(pages);
    expect(vms[0]!.heldBackNs).toBe(vms[0]!.bootNs - pages * pageNs);
  });

  it("a limit on each VM leaves the lock unsaturated: X = N·r, utilisation N·r·S", () => {
    const policy = createPolicy([
      { name: "psc-rate", options: { pagesPerSecond: 20_000, burstPages: 1 } },
    ]);
    const storm = { tasks: 32, pages: 2000, holdNs: 500, thinkNs: 4000, policy, batch: 1 };
    const { locks, makespanNs } = runStorm(plainStorm(storm));
    expect(Math.abs((makespanNs / 1e9) * (20_000 / 2000) - 1)).toBeLessThan(0.005);
    expect(Math.abs(locks[0]!.utilisation - 32 * 20_000 * 500e-9)).toBeLessThan(0.005);
  });
});

describe("what a policy is told of CPUs", () => {
  type BootEnd = Extract<Sample, { kind: "boot-finished" }>;
  type HostCpu = Extract<Sample, { kind: "host-cpu" }>;

  /** Runs the storm of a setup, whose policy is a cap that listens. */
  function told(setup: StormSetup, boots: number, run: (setup: StormSetup) => StormResult) {
    const samples: Sample[] = [];
    const cap = createPolicy([{ name: "boot-cap", options: { boots } }]);
    const policy: Policy = { ...cap, observe: (sample) => void samples.push(sample) };
    const result = run({ ...setup, policy });
    const ends = samples.filter((sample): sample is BootEnd => sample.kind === "boot-finished");
    const cpus = samples.filter((sample): sample is HostCpu => sample.kind === "host-cpu");
    const cpuNs = ends.reduce((sum, end) => sum + end.cpuNs!, 0);
    return { result, ends, cpus, cpuNs };
  }

  it("who spins uses a CPU: with one for each, CPU time is the time from admission to ready", () => {
    const storm = plainStorm({ tasks: 16, pages: 20_000, holdNs: 500, thinkNs: 4000 });
    const { ends, result } = told(storm, 12, runStorm);
    expect(ends.length).toBe(16);
    for (const { cpuNs, latencyNs, pages } of ends) {
      expect(cpuNs).toBe(latencyNs);
      expect(pages).toBe(20_000);
    }
    expect(result.cpu.spin).toBeGreaterThan(0.1);
  });

  it("boots that share CPUs have as much CPU time together as there is, and none of it twice", () => {
    const storm = plainStorm({ tasks: 8, pages: 40_000, holdNs: 0, thinkNs: 4000, cpus: 2 });
    const { cpus, cpuNs, result } = told(storm, 8, runStorm);
    expect(Math.abs(cpuNs / (2 * result.makespanNs) - 1)).toBeLessThan(0.02);
    for (const { idleShare, bootShare } of cpus.slice(1, -1)) {
      expect(idleShare).toBe(0);
      expect(bootShare).toBeGreaterThan(0.98);
    }
  });

  it("neighbours: their share is missing from the boots' and is not idle", () => {
    const plain = plainStorm({ tasks: 6, pages: 60_000, holdNs: 10, thinkNs: 3990, cpus: 3 });
    const burner = { name: "burn", vm: -1, tenant: -1, startNs: 0, pages: 0 };
    const phases = [{ kind: "work", name: "burn", ns: 2 ** 50 } as const];
    const beside = (weight: number): StormSetup => ({
      ...plain,
      background: [1, 2].map(() => ({ ...burner, weight, phases })),
    });
    const share = (weight: number) => {
      const cpus = told(beside(weight), 6, runStorm).cpus.slice(1, 10);
      for (const { idleShare } of cpus) expect(idleShare).toBe(0);
      return cpus.reduce((sum, { bootShare }) => sum + bootShare!, 0) / cpus.length;
    };
    // Eight on three CPUs; with a weight of ½ they count as seven.
    expect(Math.abs(share(1) - 6 / 8)).toBeLessThan(0.02);
    expect(Math.abs(share(0.5) - 6 / 7)).toBeLessThan(0.02);
  });

  it("before the storm: what was there then", () => {
    const { cpus } = told(
      plainStorm({ tasks: 1, pages: 1, holdNs: 1, thinkNs: 1, cpus: 4, background: 1 }),
      1,
      runStorm,
    );
    expect(cpus[0]).toEqual({ kind: "host-cpu", cpus: 4, idleShare: 0.75, bootShare: 0 });
  });

  it("aggregated, the same CPU times", () => {
    const design = DESIGN_BY_NAME.get("linux-4.20")!;
    const setup = fleet({ design, costs: costsNs(EPYC_MILAN), vms: 24, cpus: 16, gib: 0.0625 });
    for (const boots of [4, 24]) {
      const exact = told(setup, boots, runStorm);
      const quick = told(setup, boots, aggregate);
      expect(Math.abs(quick.cpuNs / exact.cpuNs - 1)).toBeLessThan(0.03);
      expect(quick.ends.length).toBe(24);
    }
  });
});
