import fc from "fast-check";
import { expect, it } from "vitest";
import { fleet } from "../../../test/sim/fleet.ts";
import { costsNs, EPYC_MILAN } from "../kernel/cost/cost-table.ts";
import { DESIGN_BY_NAME } from "../kernel/design/index.ts";
import { plainStorm } from "./plain-storm.ts";
import type { StormPhase, StormSetup } from "./setup.ts";
import { runStorm } from "./storm.ts";

/** The same storm with other phases. */
function withPhases(setup: StormSetup, phases: readonly StormPhase[]): StormSetup {
  return { ...setup, vms: setup.vms.map((vm) => ({ ...vm, phases })) };
}

const idle = { pages: 1, holdNs: 1, thinkNs: 1 };

it("the PSP is one server: N commands of D end at D, 2D, …, ND; mean D(N+1)/2", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 50 }), fc.integer({ min: 1, max: 10 ** 9 }), (n, ns) => {
      const storm = withPhases(plainStorm({ ...idle, tasks: n }), [{ kind: "psp", name: "p", ns }]);
      const { vms, locks } = runStorm(storm);
      expect(vms.map((vm) => vm.readyNs)).toEqual(vms.map((_, i) => (i + 1) * ns));
      const psp = locks.find((lock) => lock.name === "sev_cmd_mutex")!;
      expect(psp.waitNsTotal).toBe((ns * n * (n - 1)) / 2);
      expect(psp.utilisation).toBe(1);
    }),
  );
});

it("a command sleeps: one CPU carries as many VMs as wait for the PSP", () => {
  const psp: StormPhase = { kind: "psp", name: "p", ns: 1000 };
  const storm = withPhases(plainStorm({ ...idle, tasks: 20, cpus: 1 }), [psp]);
  expect(runStorm(storm).makespanNs).toBe(20_000);
});

it("round robin: K tasks of W on one CPU take K·W and a switch each time somebody else runs", () => {
  const costs = { timeSlice: 3_000_000, contextSwitch: 2000 };
  const work: StormPhase = { kind: "work", name: "w", ns: 10_000_000 };
  const storm = withPhases(plainStorm({ ...idle, tasks: 5, cpus: 1, costs }), [work]);
  const { vms, makespanNs } = runStorm(storm);
  // Four slices each (3, 3, 3, 1 ms), in turn: 20 stretches, 19 switches between them.
  expect(makespanNs).toBe(5 * 10_000_000 + 19 * 2000);
  // The first is done after its last millisecond in the fourth turn.
  expect(vms[0]!.readyNs).toBe(5 * 9_000_000 + 15 * 2000 + 1_000_000);
});

it("a VM that is taken out never delays the others, one FIFO lock and fixed times", () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 0, max: 20_000 }), { minLength: 2, maxLength: 12 }),
      fc.integer({ min: 1, max: 1000 }),
      fc.integer({ min: 0, max: 5000 }),
      (starts, holdNs, thinkNs) => {
        const storm = (tasks: number) =>
          runStorm(
            plainStorm({ tasks, pages: 1, holdNs, thinkNs, startNs: (task) => starts[task]! }),
          ).vms.map((vm) => vm.readyNs);
        const all = storm(starts.length);
        storm(starts.length - 1).forEach((ready, i) => {
          expect(ready).toBeLessThanOrEqual(all[i]!);
        });
      },
    ),
  );
});

it("flushes by INVLPGB: shorter holds, and nobody is interrupted", () => {
  const storm = fleet({
    vms: 32,
    cpus: 64,
    gib: 1 / 64,
    design: DESIGN_BY_NAME.get("linux-4.20")!,
    costs: costsNs(EPYC_MILAN),
  });
  const ipi = runStorm(storm);
  const broadcast = runStorm({ ...storm, flush: "broadcast" });
  expect(broadcast.flushes).toBe(ipi.flushes);
  expect(broadcast.makespanNs).toBeLessThan(ipi.makespanNs);
  const hold = (r: typeof ipi) => r.locks.find((lock) => lock.name === "pgd_lock")!.holdNsTotal;
  const flushNs = 2000 + 63 * 190 - 1500;
  expect(hold(ipi) - hold(broadcast)).toBe(ipi.flushes * flushNs);
});

it("one seed, pinned: a change of any predicted number is seen here, on every engine", () => {
  const storm = fleet({
    vms: 24,
    cpus: 16,
    gib: 1 / 128,
    design: DESIGN_BY_NAME.get("linux-4.20")!,
    costs: costsNs(EPYC_MILAN),
    spread: "exponential",
    start: (vm) => vm * 1_234_567,
    seed: 2022,
  });
  const { makespanNs, events, flushes, locks } = runStorm({ ...storm, phaseSpread: 0.3 });
  const [cpa, pgd] = locks;
  expect({
    makespanNs,
    events,
    flushes,
    cpa: cpa!.waitNsTotal,
    pgd: pgd!.holdNsTotal,
  }).toMatchInlineSnapshot(`
    {
      "cpa": 596711424,
      "events": 51075,
      "flushes": 96,
      "makespanNs": 87042372,
      "pgd": 670816,
    }
  `);
});
