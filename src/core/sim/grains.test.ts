import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Acquisition, runInstructions } from "../../../test/sim/instructions.ts";
import { costsNs, EPYC_MILAN } from "../kernel/cost/cost-table.ts";
import { DESIGN_BY_NAME, DESIGNS } from "../kernel/design/index.ts";
import type { Design } from "../kernel/design.ts";
import { REQUESTS } from "../kernel/request.ts";
import type { StormSetup } from "./setup.ts";
import { runStorm } from "./storm.ts";
import { stormLocks } from "./storm-path.ts";
import { spreadOrder } from "./topology.ts";

// The same little storm at three grains: live generators on the kernel model's machine, one event
// an operation ("exact"), and lock to lock ("sections").

interface Golden {
  readonly design: Design;
  readonly start: "1g" | "2m" | "4k";
  readonly regions: number;
  /** In turn, for each task. */
  readonly requests: readonly string[];
  readonly rounds: number;
  readonly startsNs: readonly number[];
  readonly leadNs: number;
}

// Interrupts are left out: when they are paid depends on where the events are.
const costs = costsNs(EPYC_MILAN, { ipiHandler: 0 });
const topology = { cpus: 16, sockets: 2, coresPerL3: 4, smt: 1 };
const flushNs = costs.flushIpi + 15 * costs.flushIpiPerCpu;

function stormSetup(golden: Golden, grain: StormSetup["grain"]): StormSetup {
  const { startsNs, regions, rounds, requests, start, leadNs } = golden;
  return {
    topology,
    costs,
    design: golden.design,
    flush: "ipi",
    memory: {
      regions: 512,
      share1g: start === "1g" ? 1 : 0,
      share2m: start === "2m" ? 1 : 0,
      placement: "contiguous",
    },
    vms: startsNs.map((startNs, task) => ({
      name: `vm${task}`,
      group: 0,
      tenant: 0,
      priority: 0,
      startNs,
      pages: 1,
      firstFrame: (task % regions) * 512 + task,
      tasks: 1,
      phases: [
        {
          kind: "pages",
          name: "change",
          ops: requests.map((_, i) => task * requests.length + i),
          count: 1,
          passes: rounds,
          pagesPerOp: 1,
          firstPage: 0,
          batch: 1,
          batchNs: 0,
          asks: false,
          pspNs: 0,
          split: false,
        },
      ],
    })),
    background: [],
    ops: startsNs.flatMap((_, task) =>
      requests.map(
        (request) => ({ kind: "kernel", request, leadNs: leadOf(leadNs, task) }) as const,
      ),
    ),
    policy: undefined,
    spread: "none",
    phaseSpread: 0,
    seed: 1,
    grain,
  };
}

/** Readers that leave a lock together would meet again in one nanosecond: each has its own pace. */
const leadOf = (leadNs: number, task: number) => leadNs + 17 * task;

function storm(golden: Golden, grain: StormSetup["grain"]) {
  const acquisitions: Acquisition[] = [];
  const names = stormLocks(golden.design).map((lock) => lock.name);
  const result = runStorm(stormSetup(golden, grain), {
    onAcquire: (lock, task, requestNs, grantNs) =>
      acquisitions.push({ lock: names[lock]!, task, requestNs, grantNs }),
  });
  return { endNs: result.vms.map((vm) => vm.readyNs), acquisitions, result };
}

function instructions(golden: Golden) {
  const order = spreadOrder(topology);
  const requests = Array.from(
    { length: golden.rounds },
    (_, i) => REQUESTS.get(golden.requests[i % golden.requests.length]!)!,
  );
  return runInstructions({
    design: golden.design,
    costs,
    topology,
    flushNs,
    start: golden.start,
    regions: golden.regions,
    scripts: golden.startsNs.map((startNs, task) => ({
      cpu: order[task]!,
      startNs,
      requests,
      leadNs: leadOf(golden.leadNs, task),
    })),
  });
}

/** A lock's acquisitions in order of time; which of two locks is first in one instant says nothing. */
function byLock(acquisitions: readonly Acquisition[]): readonly Acquisition[] {
  return acquisitions.toSorted((a, b) => a.lock.localeCompare(b.lock) || a.grantNs - b.grantNs);
}

/**
 * Different distances apart, so that two requests seldom meet in one nanosecond; and all before the
 * first is done, so that each has a CPU of its own.
 */
const startsNs = (tasks: number) => Array.from({ length: tasks }, (_, i) => i * 787 + i * i * 13);

describe("every design, every host, every state of the direct map: three grains, one answer", () => {
  const changes = [
    ["private-2022", "shared-2022"],
    ["private-6.9", "shared-6.9"],
    ["invalid", "default"],
  ];
  for (const design of DESIGNS) {
    it(design.name, () => {
      for (const requests of changes) {
        for (const start of ["1g", "2m", "4k"] as const) {
          for (const regions of [1, 3, 8]) {
            const golden: Golden = {
              design,
              start,
              regions,
              requests,
              rounds: 6,
              startsNs: startsNs(8),
              leadNs: 1009,
            };
            const finest = instructions(golden);
            for (const grain of ["exact", "sections"] as const) {
              const here = storm(golden, grain);
              const what = `${requests[0]} ${start} ${regions} ${grain}`;
              expect(here.endNs, what).toEqual(finest.endNs);
              expect(byLock(here.acquisitions), what).toEqual(byLock(finest.acquisitions));
            }
          }
        }
      }
    });
  }
});

it("one CPU alone: the time is the sum of the costs", () => {
  const design = DESIGN_BY_NAME.get("linux-4.20")!;
  const golden = {
    design,
    start: "2m",
    regions: 1,
    requests: ["private-2022"],
    rounds: 1,
    startsNs: [0],
    leadNs: 6000,
  } as const;
  const ns = costs;
  const round = ns.readPmd + ns.readPte + ns.writePte;
  // Look-up, decision, and the split's own: 2 µs and the flush.
  const split = 2 * ns.readPmd + ns.allocPage + 2000 + flushNs;
  expect(storm(golden, "sections").endNs).toEqual([
    6000 + split + round + ns.rmpupdate + ns.pvalidate,
  ]);
});

it("any start times: where no two requests meet in one instant, the grains agree", () => {
  const design = DESIGN_BY_NAME.get("linux-4.20")!;
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 0, max: 12_000 }), { minLength: 2, maxLength: 12 }),
      fc.integer({ min: 0, max: 3000 }),
      fc.constantFrom(1, 2),
      (starts, leadNs, regions) => {
        const golden: Golden = {
          design,
          start: "2m",
          regions,
          requests: ["invalid", "default"],
          rounds: 4,
          startsNs: starts.toSorted((a, b) => a - b),
          leadNs,
        };
        const finest = instructions(golden);
        const requests = finest.acquisitions.map((a) => `${a.lock} ${a.requestNs}`);
        fc.pre(new Set(requests).size === requests.length);
        fc.pre(new Set(starts).size === starts.length);
        fc.pre(Math.max(...starts) < Math.min(...finest.endNs));
        expect(storm(golden, "sections").endNs).toEqual(finest.endNs);
      },
    ),
    { numRuns: 100 },
  );
});
