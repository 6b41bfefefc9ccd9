import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { readCpuTimes } from "./cpu-times.ts";

test("stolen time is no idle time, guests are counted once, waiting for a disk is idle", () => {
  const root = mkdtempSync(join(tmpdir(), "bootstorm-test-"));
  try {
    mkdirSync(join(root, "proc"));
    const cpu = (name: string) => `${name} 100 20 30 400 50 6 7 80 90 10\n`;
    writeFileSync(
      join(root, "proc/stat"),
      `${cpu("cpu ")}${cpu("cpu0")}${cpu("cpu1")}intr 5 0 0\nctxt 7\n`,
    );
    expect(readCpuTimes(root)).toEqual({ cpus: 2, totalTicks: 693, idleTicks: 450 });
  } finally {
    rmSync(root, { recursive: true });
  }
});
