import { mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { openConsoleLog } from "./console-log.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "bootstorm-test-"));
});
afterEach(() => {
  rmSync(folder, { recursive: true });
});

test("the file is what came, and private", async () => {
  const path = join(folder, "console.log");
  const log = openConsoleLog(path, 100);
  log.write(Buffer.from("one\n"));
  log.write(Buffer.from("two\n"));
  expect(await log.close()).toEqual({ bytes: 8, keptBytes: 8 });
  expect(readFileSync(path, "latin1")).toBe("one\ntwo\n");
  expect(statSync(path).mode & 0o777).toBe(0o600);
});

test("a file is its console's beginning, up to the limit and to the byte", async () => {
  const path = join(folder, "console.log");
  const log = openConsoleLog(path, 6);
  for (const piece of ["abcd", "efgh", "ijkl"]) log.write(Buffer.from(piece));
  const kept = await log.close();
  expect(kept).toEqual({ bytes: 12, keptBytes: 6, lostBecause: "only its first 6 bytes are kept" });
  expect(readFileSync(path, "latin1")).toBe("abcdef");
});

test("a full disk loses the file and nothing else", async () => {
  const log = openConsoleLog("/dev/full", 1 << 20);
  log.write(Buffer.alloc(4096));
  const lostBecause = "the file system is full";
  expect(await log.close()).toEqual({ bytes: 4096, keptBytes: 0, lostBecause });
});

test("a folder that is not there loses the file and nothing else", async () => {
  const log = openConsoleLog(join(folder, "none", "console.log"), 1 << 20);
  log.write(Buffer.alloc(10));
  const kept = await log.close();
  expect(kept).toMatchObject({ bytes: 10, keptBytes: 0 });
  expect(kept.lostBecause).toMatch(/ENOENT/);
});

test("a disk that is slower than the console makes nobody wait, and no memory grow", async () => {
  const log = openConsoleLog(join(folder, "console.log"), 1 << 30);
  // All at once: the disk gets no turn in between.
  const piece = Buffer.alloc(64 << 10);
  for (let i = 0; i < 1_000; i += 1) log.write(piece);
  const { bytes, keptBytes, lostBecause } = await log.close();
  expect(lostBecause).toBe("the disk was too slow for it");
  expect(bytes).toBe(1_000 * piece.length);
  expect(keptBytes).toBeLessThanOrEqual(2 << 20);
  expect(statSync(join(folder, "console.log")).size).toBe(keptBytes);
});
