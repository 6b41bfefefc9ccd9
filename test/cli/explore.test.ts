// `bootstorm explore` as a person runs it.
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { ExploreRow } from "../../src/core/report/explore-report.ts";
import { bootstorm, filesIn, schemaErrors, startBootstorm, until } from "./bootstorm.ts";

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "bootstorm-explore-"));
});
afterAll(() => rmSync(folder, { recursive: true }));

const explore = (...args: string[]) => bootstorm(["explore", "--quiet", ...args], { cwd: folder });

function rowsOf(...args: string[]): ExploreRow[] {
  const { stdout, stderr, status } = explore(...args, "--json");
  expect(status, stderr).toBe(0);
  const document = JSON.parse(stdout);
  expect(schemaErrors("explore", document)).toEqual([]);
  return document.result.rows;
}

const SMALL = ["--set", "guests[0].memoryMiB=256", "--vms", "1,64"];

test("every design meets every policy, and no unsafe one is on the front", () => {
  const rows = rowsOf(...SMALL);
  const designs = new Set(rows.map((row) => row.design));
  expect(designs.size).toBeGreaterThan(10);
  expect(rows).toHaveLength(3 * designs.size);
  for (const row of rows) {
    expect(Object.keys(row.bootMs)).toEqual(["1", "64"]);
    expect(row.verdicts.map((each) => each.operations)).toEqual(["set_direct_map", "ro"]);
    if (row.front) expect(row.verdicts.map((each) => each.verdict)).toEqual(["safe", "safe"]);
  }
  expect(rows.some((row) => row.front)).toBe(true);
});

test("the refused patch is fast and unsafe; what is as fast and safe is on the front", () => {
  const designs = ["linux-4.20", "no-cpa-lock", "per-pmd-lock"];
  const rows = rowsOf(
    ...SMALL,
    ...designs.flatMap((design) => ["--design", design]),
    "--policy",
    "none",
  );
  const [own, without, perPmd] = rows as [ExploreRow, ExploreRow, ExploreRow];
  expect(without.bootMs["64"]!.median).toBeLessThan(own.bootMs["64"]!.median);
  expect(without.verdicts[1]).toEqual({ operations: "ro", verdict: "unsafe" });
  expect(rows.map((row) => row.front)).toEqual([false, false, true]);
  expect(perPmd.bootMs["64"]!.median / without.bootMs["64"]!.median).toBeCloseTo(1, 1);
});

test("the command that it prints gives the same text again, and the page the same table", () => {
  const args = [...SMALL, "--design", "linux-4.20", "--policy", "boot-cap", "--html", "page.html"];
  const { stdout } = explore(...args);
  const line = /How to repeat it\n─+\n {2}bootstorm (explore .*)\n/.exec(stdout)![1]!;
  const words = line.split(" ").map((word) => word.replaceAll("'", ""));
  // How long the checker took is in no part of it.
  expect(bootstorm([...words, "--quiet"], { cwd: folder }).stdout).toBe(stdout);
  expect(readFileSync(join(folder, "page.html"), "utf8")).toContain("boot-cap");
});

test("unknown designs and policies name what there is", () => {
  expect(explore("--design", "none-such").stderr).toContain("linux-4.20");
  const policy = explore("--policy", "none-such");
  expect(policy.stderr).toContain("lazy-accept");
  expect(policy.status).toBe(2);
});

test("Ctrl-C ends it with 130 and leaves no file", async () => {
  const before = filesIn(folder).sort();
  const run = startBootstorm(["explore", "--html", "never.html"], { cwd: folder });
  await until(() => run.said().includes("storms simulated"));
  run.kill("SIGINT");
  const { status, stderr } = await run.ended;
  expect(status).toBe(130);
  expect(stderr).toContain("INTERRUPTED");
  expect(filesIn(folder).sort()).toEqual(before);
});
