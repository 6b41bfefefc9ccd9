import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { plainStorm } from "./plain-storm.ts";
import { runStorm, Storm } from "./storm.ts";
import {
  amdahlRate,
  asymptoticRate,
  backgroundPageNs,
  type ClosedStorm,
  deterministicDoneNs,
  deterministicWaitNs,
  mvaRate,
  repairmanRate,
} from "./theory.ts";

const closedStorms = fc.record({
  tasks: fc.integer({ min: 1, max: 40 }),
  pages: fc.integer({ min: 1, max: 60 }),
  holdNs: fc.integer({ min: 1, max: 5000 }),
  thinkNs: fc.integer({ min: 0, max: 50_000 }),
});

describe("deterministic FIFO closed network", () => {
  it("VM i is done at Z + (i+1)S + (M−1)·max(NS, S+Z), to the nanosecond", () => {
    fc.assert(
      fc.property(closedStorms, (storm) => {
        const { vms, locks, makespanNs } = runStorm(plainStorm(storm));
        const expected = vms.map((_, i) => deterministicDoneNs(storm, i));
        expect(vms.map((vm) => vm.readyNs)).toEqual(expected);
        expect(makespanNs).toBe(expected.at(-1));
        expect(locks[0]).toMatchObject({
          waitNsTotal: deterministicWaitNs(storm),
          holdNsTotal: storm.tasks * storm.pages * storm.holdNs,
          acquisitions: storm.tasks * storm.pages,
        });
      }),
    );
  });

  it("Little's law: waits, holds and work are all the time the VMs lived", () => {
    fc.assert(
      fc.property(closedStorms, (storm) => {
        const { vms, locks } = runStorm(plainStorm(storm));
        const lived = vms.reduce((sum, vm) => sum + vm.bootNs, 0);
        const { waitNsTotal, holdNsTotal } = locks[0]!;
        expect(lived).toBe(waitNsTotal + holdNsTotal + storm.tasks * storm.pages * storm.thinkNs);
      }),
    );
  });

  it("twice the time everywhere: twice the answer", () => {
    fc.assert(
      fc.property(closedStorms, (storm) => {
        const twice = { ...storm, holdNs: 2 * storm.holdNs, thinkNs: 2 * storm.thinkNs };
        const once = runStorm(plainStorm(storm)).vms.map((vm) => vm.bootNs * 2);
        expect(runStorm(plainStorm(twice)).vms.map((vm) => vm.bootNs)).toEqual(once);
      }),
    );
  });
});

describe("exponential holds", () => {
  const total = (run: Storm) => run.operationsByTask().reduce((a, b) => a + b, 0);

  /** Steady rate over `operations`, with the 95 % interval of ten batches. */
  function measuredRate(storm: ClosedStorm, operations: number, seed: number) {
    const rates = Array.from({ length: 10 }, (_, batch) => {
      const setup = plainStorm({
        ...storm,
        pages: 10 ** 8,
        spread: "exponential",
        seed: seed + batch,
      });
      const run = new Storm(setup);
      run.run(operations / 100);
      const before = { ns: run.nowNs, operations: total(run) };
      run.run(operations / 10);
      return (total(run) - before.operations) / (run.nowNs - before.ns);
    });
    const mean = rates.reduce((a, b) => a + b, 0) / 10;
    const variance = rates.reduce((sum, r) => sum + (r - mean) ** 2, 0) / 9;
    // t(9, 99.9 %) = 4.78: one false alarm in a thousand, and the seed is fixed.
    return { mean, margin: (4.78 * Math.sqrt(variance)) / Math.sqrt(10) };
  }

  it.each([1, 4, 8, 9, 12, 16, 64])(
    "%i tasks: the rate of exact MVA, within its interval",
    (tasks) => {
      const storm = { tasks, pages: 1, holdNs: 50_000, thinkNs: 400_000 };
      const { mean, margin } = measuredRate(storm, 300_000, 7);
      const exact = mvaRate(storm);
      expect(Math.abs(mean - exact), `seed 7: ${mean} ± ${margin}, exact ${exact}`).toBeLessThan(
        margin,
      );
      expect(margin / exact).toBeLessThan(0.02);
    },
  );

  it("MVA is the machine repairman, computed another way", () => {
    for (let tasks = 1; tasks <= 60; tasks += 1) {
      const storm = { tasks, pages: 1, holdNs: 500, thinkNs: 4000 };
      expect(Math.abs(mvaRate(storm) / repairmanRate(storm) - 1)).toBeLessThan(1e-9);
    }
  });

  it("per page, 1 GiB, S 0.5 µs, Z 4 µs: the published table of boot times", () => {
    const seconds = (tasks: number) =>
      (262_144 * tasks) / mvaRate({ tasks, pages: 1, holdNs: 500, thinkNs: 4000 }) / 1e9;
    const table = [1, 4, 8, 9, 12, 16, 64, 256].map((n) => seconds(n).toFixed(2));
    expect(table).toEqual(["1.18", "1.23", "1.37", "1.43", "1.66", "2.11", "8.39", "33.55"]);
  });
});

it("Amdahl ≤ MVA ≤ deterministic FIFO ≤ asymptote, for any storm", () => {
  fc.assert(
    fc.property(closedStorms, (storm) => {
      const tolerance = 1 + 1e-9;
      const pages = 400;
      const long = { ...storm, pages };
      const last = deterministicDoneNs(long, storm.tasks - 1);
      const first = deterministicDoneNs({ ...long, pages: 1 }, storm.tasks - 1);
      const fifo = (storm.tasks * (pages - 1)) / (last - first);
      expect(amdahlRate(storm)).toBeLessThanOrEqual(mvaRate(storm) * tolerance);
      expect(mvaRate(storm)).toBeLessThanOrEqual(fifo * tolerance);
      expect(fifo).toBeLessThanOrEqual(asymptoticRate(storm) * tolerance);
    }),
  );
});

it("one boot against B threads that never pause: S·(⌈Z/S⌉ + B) a page, exactly", () => {
  fc.assert(
    fc.property(
      fc.record({
        holdNs: fc.integer({ min: 2, max: 3000 }),
        thinkNs: fc.integer({ min: 1, max: 30_000 }),
        threads: fc.integer({ min: 1, max: 64 }),
      }),
      ({ holdNs, thinkNs, threads }) => {
        // A multiple would make the boot and a thread arrive at one instant: either may be first.
        fc.pre(thinkNs % holdNs !== 0);
        const done = (pages: number) =>
          runStorm(plainStorm({ tasks: 1, pages, holdNs, thinkNs, background: threads }))
            .makespanNs;
        const warm = 8;
        const pages = 50;
        expect(done(warm + pages) - done(warm)).toBe(
          pages * backgroundPageNs(holdNs, thinkNs, threads),
        );
      },
    ),
  );
});

it("overcommit: waiters keep their CPUs, so that N VMs on C CPUs are C VMs at a time", () => {
  const storm = { tasks: 64, pages: 20_000, holdNs: 500, thinkNs: 4000 };
  const setup = plainStorm({
    ...storm,
    cpus: 16,
    costs: { contextSwitch: 0, timeSlice: 3_000_000 },
  });
  const { makespanNs, cpu } = runStorm(setup);
  // 16 at a time saturate the lock (N* = 9): it never rests.
  expect(makespanNs / (64 * 20_000 * 500) - 1).toBeLessThan(0.005);
  // 1 − X(S+Z)/n, n = 16: 43.75 % of all CPU time spins.
  expect(Math.abs(cpu.spin - (1 - 4500 / (16 * 500)))).toBeLessThan(0.005);
  expect(cpu.work + cpu.spin + cpu.idle).toBeCloseTo(1, 9);
});

it("fewer CPUs than VMs below saturation: the CPUs are the limit, and are never idle", () => {
  const setup = plainStorm({ tasks: 8, pages: 50_000, holdNs: 100, thinkNs: 9900, cpus: 2 });
  const { makespanNs, cpu } = runStorm(setup);
  expect(makespanNs / ((8 * 50_000 * 10_000) / 2) - 1).toBeLessThan(0.01);
  expect(cpu.idle).toBeLessThan(0.01);
});

it("the same seed gives the same storm, another one another", () => {
  const run = (seed: number) =>
    runStorm(
      plainStorm({ tasks: 9, pages: 300, holdNs: 500, thinkNs: 4000, spread: "exponential", seed }),
    );
  expect(run(3)).toEqual(run(3));
  expect(run(3).makespanNs).not.toBe(run(4).makespanNs);
});
