import fc from "fast-check";
import { expect, it } from "vitest";
import { calibratedCosts, type FittedTime } from "./calibrated-costs.ts";
import { COST_KEYS, costsNs, EPYC_MILAN } from "./cost-table.ts";

const time = fc
  .tuple(
    fc.double({ min: 0, max: 1e6, noNaN: true }),
    fc.double({ min: 0, max: 1, noNaN: true }),
    fc.double({ min: 1, max: 100, noNaN: true }),
    fc.constantFrom("well" as const, "weakly" as const),
  )
  .map(([ns, below, above, identified]): FittedTime => {
    return { ns, low: ns * below, high: ns * above, identified };
  });
const fit = fc.record({
  cpus: fc.integer({ min: 1, max: 1024 }),
  holdNs: time,
  flushNs: time,
  faultNs: time,
});

const HAND_OVER_NS = 2 * EPYC_MILAN.lineL3.ns;

it("one round takes the fitted hold less two cache lines, whatever the entries above; one that may be nothing else stays the table's", () => {
  fc.assert(
    fc.property(fit, (fitted) => {
      const ns = costsNs({ ...EPYC_MILAN, ...calibratedCosts(fitted) });
      const round = ns.readPud + ns.readPmd + ns.readPte + ns.writePte;
      const seen = fitted.holdNs.low > HAND_OVER_NS;
      expect(round).toBe(seen ? Math.round(fitted.holdNs.ns) - HAND_OVER_NS : 50 + 1300);
    }),
  );
});

it("the parts of a round keep their shares, to the nanosecond", () => {
  fc.assert(
    fc.property(fit, (fitted) => {
      const ns = costsNs({ ...EPYC_MILAN, ...calibratedCosts(fitted) });
      const sum = ns.readPmd + ns.readPte + ns.writePte;
      for (const key of ["readPmd", "readPte", "writePte"] as const) {
        expect(Math.abs(ns[key] - (sum * EPYC_MILAN[key].ns) / 1300)).toBeLessThanOrEqual(1);
      }
    }),
  );
});

it("a flush at this number of CPUs takes what was fitted; one that took nothing stays the table's", () => {
  fc.assert(
    fc.property(fit, (fitted) => {
      const ns = costsNs({ ...EPYC_MILAN, ...calibratedCosts(fitted) });
      const flush = ns.flushIpi + ns.flushIpiPerCpu * (fitted.cpus - 1);
      const fittedNs = Math.round(fitted.flushNs.ns);
      const tableNs = EPYC_MILAN.flushIpi.ns + EPYC_MILAN.flushIpiPerCpu.ns * (fitted.cpus - 1);
      expect(flush).toBe(fittedNs > 0 ? fittedNs : tableNs);
      expect(ns.flushIpiPerCpu).toBeLessThanOrEqual(EPYC_MILAN.flushIpiPerCpu.ns);
    }),
  );
});

it("costs are whole, lie in their ranges, and are low in confidence where weakly identified", () => {
  fc.assert(
    fc.property(fit, (fitted) => {
      for (const [key, { ns, low, high, confidence }] of Object.entries(calibratedCosts(fitted))) {
        expect(COST_KEYS).toContain(key);
        expect(Number.isInteger(ns), key).toBe(true);
        expect(low, key).toBeLessThanOrEqual(ns);
        expect(ns, key).toBeLessThanOrEqual(high);
        expect(low, key).toBeGreaterThanOrEqual(0);
        expect(confidence).not.toBe("high");
      }
      const { fault4k, readPte } = calibratedCosts(fitted);
      expect(fault4k!.confidence).toBe(fitted.faultNs.identified === "well" ? "medium" : "low");
      if (fitted.holdNs.low <= HAND_OVER_NS) expect(readPte).toBeUndefined();
      else expect(readPte!.confidence).toBe(fitted.holdNs.identified === "well" ? "medium" : "low");
    }),
  );
});
