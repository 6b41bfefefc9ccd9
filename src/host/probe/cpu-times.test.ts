import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { cpuShares, readCpuTimes, SINCE_BOOT } from "./cpu-times.ts";

test("stolen time is no idle time, guests are counted once, waiting for a disk is idle", () => {
  const root = mkdtempSync(join(tmpdir(), "bootstorm-test-"));
  try {
    mkdirSync(join(root, "proc"));
    const cpu = (name: string) => `${name} 100 20 30 400 50 6 7 80 90 10\n`;
    writeFileSync(
      join(root, "proc/stat"),
      `${cpu("cpu ")}${cpu("cpu0")}${cpu("cpu1")}intr 5 0 0\nctxt 7\n`,
    );
    const now = readCpuTimes(root);
    expect(now).toEqual({ cpus: 2, busyNs: 1.63e9, idleNs: 4.5e9, stolenNs: 0.8e9 });
    const shares = { idleShare: 450 / 693, usedShare: 100 / 693 };
    expect(cpuShares(SINCE_BOOT, now, 1e9)?.idleShare).toBeCloseTo(shares.idleShare, 12);
    expect(cpuShares(SINCE_BOOT, now, 1e9)?.usedShare).toBeCloseTo(shares.usedShare, 12);
    expect(cpuShares(SINCE_BOOT, now, 9e9)?.usedShare).toBe(1);
    expect(cpuShares(now, now, 0)).toBeUndefined();
  } finally {
    rmSync(root, { recursive: true });
  }
});
