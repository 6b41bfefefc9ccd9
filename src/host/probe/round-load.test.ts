import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { startRoundLoad } from "./round-load.ts";

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "bootstorm-test-"));
  mkdirSync(join(root, "proc", "pressure"), { recursive: true });
});
afterEach(() => {
  rmSync(root, { recursive: true });
});

function host(cpu: string, memAvailableKib: number, pressureUs?: number): void {
  writeFileSync(join(root, "proc/stat"), `cpu  ${cpu}\ncpu0 ${cpu}\nintr 1\n`);
  const meminfo = `MemTotal:  1000 kB\nMemAvailable:   ${memAvailableKib} kB\n`;
  writeFileSync(join(root, "proc/meminfo"), meminfo);
  if (pressureUs === undefined) return;
  const some = `some avg10=0.93 avg60=1.04 avg300=1.34 total=${pressureUs}\n`;
  writeFileSync(join(root, "proc/pressure/cpu"), `${some}full avg10=0.00 total=0\n`);
}

test("busy is what ran here: neither idle nor stolen, and guests only once", () => {
  host("100 100 100 1000 100 100 100 100 100 100", 500);
  const watch = startRoundLoad(root);
  // user +10 (of which guest 10), nice +1, system +4, idle +70, iowait +10, irq +2, softirq +3, steal +50
  host("110 101 104 1070 110 102 103 150 110 100", 400);
  expect(watch.stop(50_000_000)).toEqual({
    cpuBusyShare: 0.2,
    otherCpuNs: 150_000_000,
    memAvailableBytesLow: 400 * 1024,
  });
});

test("VMs may have used more than the ticks tell; pressure is at most all of the time", () => {
  host("0 0 0 0 0 0 0 0 0 0", 500, 1_000);
  const watch = startRoundLoad(root);
  host("1 0 0 1 0 0 0 0 0 0", 600, 10 ** 12);
  expect(watch.stop(20_000_000)).toEqual({
    cpuBusyShare: 0.5,
    otherCpuNs: 0,
    cpuPressureShare: 1,
    memAvailableBytesLow: 500 * 1024,
  });
});

test("this host can be watched", () => {
  const { cpuBusyShare, otherCpuNs, memAvailableBytesLow } = startRoundLoad().stop(0);
  expect(cpuBusyShare).toBeGreaterThanOrEqual(0);
  expect(cpuBusyShare).toBeLessThanOrEqual(1);
  expect(otherCpuNs).toBeGreaterThanOrEqual(0);
  expect(memAvailableBytesLow).toBeGreaterThan(0);
});
