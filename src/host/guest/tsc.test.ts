import { expect, test } from "vitest";
import { tscKhz } from "./tsc.ts";

const cpuinfo = (mhz: string, flags: string) =>
  `processor\t: 0\ncpu MHz\t\t: ${mhz}\nflags\t\t: fpu ${flags} sse2\n\nprocessor\t: 1\n`;

test("a VM's cpu MHz is the rate of its TSC", () => {
  expect(tscKhz(cpuinfo("2596.120", "constant_tsc nonstop_tsc tsc_known_freq"))).toBe(2_596_120);
});

test("the momentary speed of a CPU is no rate of a TSC, nor is that of a TSC that varies", () => {
  expect(tscKhz(cpuinfo("1497.331", "constant_tsc aperfmperf"))).toBeUndefined();
  expect(tscKhz(cpuinfo("2596.120", "tsc"))).toBeUndefined();
  expect(tscKhz("processor\t: 0\nBogoMIPS\t: 50.00\n")).toBeUndefined();
});
