import fc from "fast-check";
import { expect, it } from "vitest";
import { calibratedCosts, type FittedTime } from "../kernel/cost/calibrated-costs.ts";
import { costsNs, EPYC_MILAN } from "../kernel/cost/cost-table.ts";
import { linux420 } from "../kernel/design/linux-4.20.ts";
import { plainStorm } from "./plain-storm.ts";
import { ProgramTree } from "./program.ts";
import type { StormSetup } from "./setup.ts";
import { runStorm } from "./storm.ts";
import { stormLocks } from "./storm-path.ts";

const sure = (ns: number): FittedTime => ({ ns, low: ns, high: ns, identified: "well" });
const calibrated = (holdNs: number) =>
  costsNs({
    ...EPYC_MILAN,
    ...calibratedCosts({
      cpus: 2,
      holdNs: sure(holdNs),
      flushNs: sure(4000),
      faultNs: sure(900),
    }),
  });
const hold = fc.integer({ min: 60, max: 20_000 });
const REQUESTS = ["invalid", "default", "private-2022"];

it("a change of a 4 KiB entry on 4.20 is one section of the fitted hold less two cache lines", () => {
  fc.assert(
    fc.property(hold, fc.constantFrom(...REQUESTS), fc.boolean(), (holdNs, request, pud) => {
      const context = {
        design: linux420,
        locks: stormLocks(linux420),
        costs: calibrated(holdNs),
        pud,
        flushNs: 4000,
        fuse: true,
      };
      const { simple } = new ProgramTree(context, { kind: "kernel", request, leadNs: 0 }).warm;
      expect(simple?.holdNs).toBe(holdNs - 2 * EPYC_MILAN.lineL3.ns);
    }),
  );
});

it("CPUs of one L3 that do nothing else give a page back every fitted hold, to the nanosecond", () => {
  const storm = (holdNs: number, pages: number): StormSetup => {
    const plain = plainStorm({ tasks: 4, pages, holdNs: 1, thinkNs: 0 });
    return {
      ...plain,
      design: linux420,
      costs: calibrated(holdNs),
      ops: [{ kind: "kernel", request: "default", leadNs: 0 }],
    };
  };
  fc.assert(
    fc.property(hold, (holdNs) => {
      const [short, long] = [50, 250].map((pages) => runStorm(storm(holdNs, pages)).makespanNs);
      expect(long! - short!).toBe(4 * 200 * holdNs);
    }),
    { numRuns: 20 },
  );
});
