import { expect, it } from "vitest";
import { COST_KEYS, COST_TABLES, costsNs, EPYC_MILAN } from "./cost-table.ts";

it.each([...COST_TABLES])(
  "%s: every cost is in its range, whole, and names its source",
  (_, table) => {
    for (const key of COST_KEYS) {
      const { ns, low, high, source } = table[key];
      expect(low, key).toBeLessThanOrEqual(ns);
      expect(ns, key).toBeLessThanOrEqual(high);
      expect(Number.isInteger(ns), key).toBe(true);
      expect(source.length, key).toBeGreaterThan(5);
    }
  },
);

it("one round under cpa_lock takes the published 1.3 µs, a split's hold 2 µs without its flush", () => {
  const ns = costsNs(EPYC_MILAN);
  expect(ns.readPmd + ns.readPte + ns.writePte).toBe(1300);
  expect(ns.readPmd + ns.fillTable + ns.installTable).toBe(2000);
});

it("severifast: a page holds cpa_lock for the fitted 3.42 µs", () => {
  const ns = costsNs(COST_TABLES.get("severifast")!);
  expect(ns.readPmd + ns.readPte + ns.writePte).toBe(3420);
});

it("an IPI to 112 CPUs takes the published 23.2 µs, within 1 %", () => {
  const ns = costsNs(EPYC_MILAN);
  expect(Math.abs((ns.flushIpi + 111 * ns.flushIpiPerCpu) / 23_200 - 1)).toBeLessThan(0.01);
});
