import { expect, it } from "vitest";
import { COST_KEYS, costsNs, EPYC_MILAN } from "./cost-table.ts";

it("every cost lies in its range, is whole nanoseconds, and names its source", () => {
  for (const key of COST_KEYS) {
    const { ns, low, high, source } = EPYC_MILAN[key];
    expect(low, key).toBeLessThanOrEqual(ns);
    expect(ns, key).toBeLessThanOrEqual(high);
    expect(Number.isInteger(ns), key).toBe(true);
    expect(source.length, key).toBeGreaterThan(5);
  }
});

it("one round under cpa_lock takes the published 1.3 µs, a split's hold 2 µs without its flush", () => {
  const ns = costsNs(EPYC_MILAN);
  expect(ns.readPmd + ns.readPte + ns.writePte).toBe(1300);
  expect(ns.readPmd + ns.fillTable + ns.installTable).toBe(2000);
});

it("an IPI to 112 CPUs takes the published 23.2 µs, within 1 %", () => {
  const ns = costsNs(EPYC_MILAN);
  expect(Math.abs((ns.flushIpi + 111 * ns.flushIpiPerCpu) / 23_200 - 1)).toBeLessThan(0.01);
});
