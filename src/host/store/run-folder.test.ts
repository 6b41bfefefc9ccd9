import { existsSync, mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createFreshRunFolder } from "./run-folder.ts";

let root: string;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "run-folder-"));
});

afterEach(() => rmSync(root, { recursive: true }));

test("runs that begin at the same moment have folders of their own, for their user alone", async () => {
  const path = join(root, "runs", "now");
  const folders = await Promise.all(Array.from({ length: 5 }, () => createFreshRunFolder(path)));
  expect(new Set(folders.map((folder) => folder.path)).size).toBe(5);
  expect(readdirSync(join(root, "runs")).sort()).toEqual([
    "now",
    "now-2",
    "now-3",
    "now-4",
    "now-5",
  ]);
  for (const folder of folders) expect(statSync(folder.path).mode & 0o777).toBe(0o700);
});

test("a run that is discarded leaves nothing, and nothing of others is lost", async () => {
  const path = join(root, "runs", "now");
  const first = await createFreshRunFolder(path);
  const second = await createFreshRunFolder(path);
  await second.write("answer.json", "{}");
  first.discard();
  expect(readdirSync(join(root, "runs"))).toEqual(["now-2"]);
  second.discard();
  const third = await createFreshRunFolder(join(root, "more", "now"));
  third.discard();
  expect(existsSync(join(root, "more"))).toBe(false);
});
