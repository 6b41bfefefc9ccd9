import { chmodSync, mkdtempSync, readdirSync, rmSync, statSync, utimesSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { cacheFolder, openCache } from "./cache.ts";

let folder: string;
beforeEach(() => {
  folder = join(mkdtempSync(join(tmpdir(), "bootstorm-test-")), "cache");
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

test("what is put is found again, and nobody else may look", async () => {
  const path = await openCache(folder).put("kernel", "bytes");
  expect(openCache(folder).find("kernel")).toBe(path);
  expect(openCache(folder).find("other")).toBeUndefined();
  expect([statSync(folder).mode & 0o777, statSync(path).mode & 0o777]).toEqual([0o700, 0o600]);
});

test("when it grows too large, what was not used for longest goes, and never what is new", async () => {
  const cache = openCache(folder, 10);
  for (const [name, dayOfUse] of [
    ["a", 1],
    ["b", 2],
    ["c", 3],
  ] as const) {
    const day = new Date(2026, 0, dayOfUse);
    utimesSync(await cache.put(name, "123"), day, day);
  }
  cache.find("a");
  await cache.put("d", "1234");
  expect(readdirSync(folder).sort()).toEqual(["a", "c", "d"]);
  await cache.put("large", "12345678901");
  expect(readdirSync(folder)).toEqual(["large"]);
});

test("a folder that others may write to is refused: they could put a kernel there", () => {
  openCache(folder);
  chmodSync(folder, 0o770);
  expect(() => openCache(folder)).toThrow(expect.objectContaining({ code: "CACHE_NOT_OURS" }));
});

test("where it cannot be made, the error says so", () => {
  expect(() => openCache("/dev/null/cache")).toThrow(
    expect.objectContaining({ code: "CANNOT_WRITE" }),
  );
});

test("it is where the XDG specification wants it; relative paths do not count", () => {
  expect(cacheFolder({ XDG_CACHE_HOME: "/x", HOME: "/home/a" })).toBe("/x/bootstorm");
  expect(cacheFolder({ XDG_CACHE_HOME: "x", HOME: "/home/a" })).toBe("/home/a/.cache/bootstorm");
});
