import { describe, expect, it } from "vitest";
import { fleet } from "../../../test/sim/fleet.ts";
import { costsNs, EPYC_MILAN } from "../kernel/cost/cost-table.ts";
import { DESIGN_BY_NAME } from "../kernel/design/index.ts";
import { createPolicy } from "../policy/registry.ts";
import { aggregate, canAggregate } from "./aggregate.ts";
import type { PagesPhase, StormSetup } from "./setup.ts";
import { runStorm } from "./storm.ts";

const costs = costsNs(EPYC_MILAN);
const mixedSizes = (vm: number) => 0.25 + ((vm * 0.6180339887498949) % 1) * 1.5;

function storm(
  design: string,
  vms: number,
  cpus: number,
  more: Partial<Parameters<typeof fleet>[0]> = {},
): StormSetup {
  return fleet({ design: DESIGN_BY_NAME.get(design)!, vms, cpus, gib: 0.0625, costs, ...more });
}

function errors(setup: StormSetup) {
  const exact = runStorm(setup);
  const quick = aggregate(setup);
  const each = exact.vms.map((vm, v) => Math.abs(quick.vms[v]!.bootNs / vm.bootNs - 1));
  return {
    exact,
    quick,
    mean: each.reduce((a, b) => a + b, 0) / each.length,
    worst: Math.max(...each),
  };
}

/** Host threads that give 512 pages each away and take them back, for ever. */
function beside({ memory, vms, ...setup }: StormSetup, threads: number): StormSetup {
  const accept = vms[0]!.phases[1] as PagesPhase;
  const loop = { ops: [1, 2], count: 512, passes: Number.POSITIVE_INFINITY, batch: 512 };
  const phase = { ...accept, ...loop, name: "rmpupdate", batchNs: 0, asks: false };
  return {
    ...setup,
    memory: { ...memory, regions: memory.regions + Math.ceil(threads / 512) * 512 },
    vms,
    ops: [
      ...setup.ops,
      { kind: "kernel", request: "private-2022", leadNs: 0 },
      { kind: "kernel", request: "shared-2022", leadNs: 0 },
    ],
    background: Array.from({ length: threads }, (_, i) => ({
      name: `rmpupdate-${i}`,
      vm: -1,
      tenant: -1,
      startNs: 0,
      pages: 512,
      phases: [phase],
    })),
  };
}

describe("aggregated against exact", () => {
  it("a crowded fleet of mixed sizes, staggered: 0.5 % in the mean", () => {
    const start = (vm: number) => vm * 3_919_777;
    const { mean, worst, quick, exact } = errors(
      storm("linux-4.20", 256, 64, { start, sizes: mixedSizes }),
    );
    expect(mean).toBeLessThan(0.005);
    expect(worst).toBeLessThan(0.05);
    expect(Math.abs(quick.makespanNs / exact.makespanNs - 1)).toBeLessThan(0.005);
    expect(Math.abs(quick.flushes / exact.flushes - 1)).toBeLessThan(0.03);
    expect(quick.bottleneck?.name).toBe(exact.bottleneck?.name);
    expect(quick.operations).toBe(exact.operations);
  });

  it.each([
    ["linux-4.20", 3, 64],
    ["linux-4.20", 8, 64],
    ["linux-4.20", 48, 64],
    ["linux-4.20", 256, 64],
    ["no-cpa-lock", 60, 64],
    ["per-pmd-lock", 80, 64],
  ])("%s, %i VMs together on %i CPUs: within the error bound it states", (design, vms, cpus) => {
    const { mean, quick } = errors(storm(design, vms, cpus, { gib: 0.125 }));
    expect(mean).toBeLessThan(quick.errorBound);
  });

  it.each([
    ["linux-4.20", 1, 128],
    ["no-cpa-lock", 1, 128],
    ["per-pmd-lock", 8, 128],
  ])("%s, %i VMs beside %i rmpupdate() threads: 1 %", (design, vms, threads) => {
    const { mean } = errors(beside(storm(design, vms, 256, { gib: 0.0625 }), threads));
    expect(mean).toBeLessThan(0.01);
  });

  it("exponential holds, staggered: within the error bound it states", () => {
    const { mean, quick } = errors(
      storm("linux-4.20", 24, 64, { spread: "exponential", start: (vm) => vm * 7_919_777 }),
    );
    expect(mean).toBeLessThan(quick.errorBound);
  });

  it("a cap on boots: the same policy object, the same order", () => {
    const setup = (): StormSetup => ({
      ...storm("linux-4.20", 48, 64),
      policy: createPolicy([{ name: "boot-cap", options: { boots: 12 } }]),
    });
    const exact = runStorm(setup());
    const quick = aggregate(setup());
    const mean = (r: typeof exact) => r.vms.reduce((sum, vm) => sum + vm.bootNs, 0) / r.vms.length;
    expect(Math.abs(mean(quick) / mean(exact) - 1)).toBeLessThan(0.02);
    expect(quick.vms.map((vm) => vm.admittedNs > 0)).toEqual(
      exact.vms.map((vm) => vm.admittedNs > 0),
    );
  });

  it("the PSP's queue: as many VMs as there are, one at a time", () => {
    const launch = (setup: StormSetup): StormSetup => ({
      ...setup,
      vms: setup.vms.map((vm) => ({
        ...vm,
        phases: [
          { kind: "psp", name: "start", ns: 25_000_000 },
          { ...vm.phases[1]!, name: "launch", count: 40, pspNs: 1_003_000, asks: false },
          vm.phases[1]!,
        ] as typeof vm.phases,
      })),
    });
    const { mean, quick, exact } = errors(launch(storm("linux-4.20", 12, 64)));
    expect(mean).toBeLessThan(0.03);
    const psp = (r: typeof exact) => r.locks.find((lock) => lock.name === "sev_cmd_mutex")!;
    expect(psp(quick).holdNsTotal / psp(exact).holdNsTotal).toBeCloseTo(1, 2);
    expect(quick.bottleneck?.name).toBe(exact.bottleneck?.name);
  });

  it("the number of pages costs nothing: sixteen times the memory, as few events", () => {
    const small = aggregate(storm("linux-4.20", 64, 64, { gib: 0.0625 }));
    const large = aggregate(storm("linux-4.20", 64, 64, { gib: 0.0625 * 16 }));
    expect(large.events).toBeLessThanOrEqual(small.events + 2);
    expect(large.operations).toBe(small.operations * 16);
  });
});

it("a phase of which less is left than the clock can show is done, in the next nanosecond", () => {
  // Shares of 12/30 of a CPU: what is left is rounded, after ten minutes to 10⁻⁴ ns.
  const { vms, ...host } = storm("linux-4.20", 30, 12);
  const work = (name: string, ns: number) => ({ kind: "work", name, ns }) as const;
  const phases = [work("first", 4e11), work("second", 6e11)];
  const setup = { ...host, phaseSpread: 0.3, seed: 3, vms: vms.map((vm) => ({ ...vm, phases })) };
  const { makespanNs, cpu } = aggregate(setup);
  expect(cpu.work).toBeGreaterThan(0.7);
  expect(makespanNs).toBeGreaterThan((30 / 12) * 0.7e12);
});

it("memory that others have split, and exits that a policy sees, are not aggregated", () => {
  const setup = storm("linux-4.20", 4, 8);
  expect(canAggregate(setup)).toBe(true);
  const scattered = { ...setup.memory, placement: "scattered" } as const;
  expect(canAggregate({ ...setup, memory: scattered })).toBe(false);
  expect(() => aggregate({ ...setup, memory: scattered })).toThrow(/^bug: /);
});
