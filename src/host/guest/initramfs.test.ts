import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type Cache, openCache } from "../store/cache.ts";
import { INIT_SCRIPT } from "./init-script.ts";
import { buildInitramfs } from "./initramfs.ts";
import { markProgram } from "./mark-program.ts";

let folder: string;
let cache: Cache;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "bootstorm-test-"));
  mkdirSync(join(folder, "a"));
  mkdirSync(join(folder, "b"));
  cache = openCache(join(folder, "cache"));
});
afterEach(() => rmSync(folder, { recursive: true }));

const build = () => buildInitramfs(cache, [join(folder, "a"), join(folder, "b")]);
/** A static program of a few bytes stands for busybox. */
const putStatic = (where: string, tail = "") =>
  writeFileSync(join(folder, where), Buffer.concat([markProgram(), Buffer.from(tail)]));

test("the same busybox gives the same file, another one another", async () => {
  putStatic("b/busybox");
  const first = await build();
  expect(readFileSync(first).includes(INIT_SCRIPT)).toBe(true);
  expect(await build()).toBe(first);
  putStatic("b/busybox", "another");
  expect(await build()).not.toBe(first);
});

test("one that needs libraries is passed over: a guest has none", async () => {
  copyFileSync("/bin/sh", join(folder, "a/busybox"));
  putStatic("b/busybox", "static one");
  expect(readFileSync(await build()).includes("static one")).toBe(true);
});

test("without a static one: what was found instead, and what to install", async () => {
  const refused = (why: string) => ({
    code: "NO_BUSYBOX",
    why: expect.stringContaining(why),
    remedies: [
      expect.stringContaining("apt-get install busybox-static"),
      expect.stringContaining("machine.initramfs"),
    ],
  });
  await expect(build()).rejects.toMatchObject(refused("there is no busybox"));
  copyFileSync("/bin/sh", join(folder, "b/busybox"));
  await expect(build()).rejects.toMatchObject(refused("b/busybox needs libraries"));
  writeFileSync(join(folder, "a/busybox"), "#!/bin/sh\n");
  await expect(build()).rejects.toMatchObject(refused("a/busybox is not for x86-64"));
});
