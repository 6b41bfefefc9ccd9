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

it("one round takes the fitted hold less two cache lines, whatever the entries above", () => {
  fc.assert(
    fc.property(fit, (fitted) => {
      const ns = costsNs({ ...EPYC_MILAN, ...calibratedCosts(fitted) });
      const handOverNs = 2 * EPYC_MILAN.lineL3.ns;
      const expected = Math.max(0, Math.round(fitted.holdNs.ns) - handOverNs);
      expect(ns.readPud + ns.readPmd + ns.readPte + ns.writePte).toBe(expected);
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
      expect(readPte!.confidence).toBe(fitted.holdNs.identified === "well" ? "medium" : "low");
    }),
  );
});
