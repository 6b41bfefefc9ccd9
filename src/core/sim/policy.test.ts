import { describe, expect, it } from "vitest";
import { createPolicy } from "../policy/registry.ts";
import { plainStorm } from "./plain-storm.ts";
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
