// `bootstorm simulate --trace` and `bootstorm contention` on what it wrote, as a person runs them.
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { ContentionResult } from "../../src/core/analyze/result.ts";
import type { StormPoint } from "../../src/core/analyze/storm-point.ts";
import { bootstorm, schemaErrors } from "./bootstorm.ts";

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "bootstorm-simulate-trace-"));
});
afterAll(() => rmSync(folder, { recursive: true }));

interface Simulated {
  readonly result: {
    readonly points: readonly StormPoint[];
    readonly trace: Readonly<Record<string, unknown>>;
  };
  readonly caveats: readonly string[];
}

const small = ["--set", "guests[0].memoryMiB=64", "--replications", "1"];
const vms = (counts: string) => ["--sweep", `guests[0].count=${counts}`];

function simulated(...args: string[]): Simulated {
  const command = ["simulate", "--quiet", "talk-concurrent", ...args, "--json"];
  const { stdout, stderr, status } = bootstorm(command, { cwd: folder });
  expect(status, stderr).toBe(0);
  const document = JSON.parse(stdout);
  expect(schemaErrors("simulate", document)).toEqual([]);
  return document;
}

function contention(...args: string[]) {
  const { stdout, stderr, status } = bootstorm(["contention", ...args, "--json"], { cwd: folder });
  expect([status, stderr]).toEqual([0, ""]);
  const document = JSON.parse(stdout);
  expect(schemaErrors("contention", document)).toEqual([]);
  return document as { result: ContentionResult; caveats: readonly string[] };
}

test("the waits of the last point's first storm are in the file, to the nanosecond", () => {
  const { result } = simulated(...small, ...vms("1,8"), "--seed", "7", "--trace", "storm.bst");
  const { rows, trace } = contention("storm.bst").result;
  const { locks, makespanMs } = result.points.at(-1)!;
  for (const { name, waitMs } of locks) {
    const own = rows.filter((row) => row.lock.name === name);
    const waitNs = own.reduce((sum, row) => sum + row.waitNsTotal, 0);
    expect([name, waitNs]).toEqual([name, Math.round(waitMs * 1e6)]);
  }
  expect(new Set(rows.map((row) => row.lock.name))).toEqual(new Set(["cpa_lock", "sev_cmd_mutex"]));
  expect(trace).toMatchObject({ source: "sim", spanNs: Math.round(makespanMs * 1e6), lost: 0 });
  expect(result.trace).toEqual({
    file: "storm.bst",
    seed: 7,
    grain: "sections",
    waits: trace.events,
    lost: 0,
    makespanMs,
    spanMs: makespanMs,
  });
  const byVm = contention("storm.bst", "--by", "process").result.rows;
  const names = Array.from({ length: 8 }, (_, i) => `vm-${i} (${i + 1})`);
  expect(new Set(byVm.map((row) => row.process))).toEqual(new Set(names));
});

test("contention says that it is simulated, and nothing of what kernels hide", () => {
  simulated(...small, ...vms("4"), "--trace", "caveats.bst");
  const { caveats } = contention("caveats.bst");
  expect(caveats).toHaveLength(1);
  expect(caveats[0]).toMatch(/^This is a simulated storm: nothing was measured\./);
  const { stdout } = bootstorm(["contention", "caveats.bst"], { cwd: folder });
  expect(stdout).toMatch(/^In [\d.]+ s of a simulated storm on 256 CPUs waits for locks/);
  expect(stdout).toMatch(/\nsource {4}sim\n/);
});

test("a point that is aggregated is recorded in sections; a recording that is full says so", () => {
  const storm = ["--set", "guests[0].memoryMiB=256", "--replications", "1", ...vms("80")];
  const aggregated = ["--grain", "aggregated", "--trace", "full.bst"];
  const { result, caveats } = simulated(...storm, ...aggregated);
  expect(result.points[0]!.grain).toBe("aggregated");
  expect(result.trace).toMatchObject({ grain: "sections", waits: 1_000_000 });
  expect(result.trace.lost).toBeGreaterThan(0);
  expect(caveats.filter((caveat) => caveat.startsWith("full.bst "))).toHaveLength(2);
  const read = contention("full.bst");
  expect(read.result.trace.lost).toBe(result.trace.lost);
  expect(read.caveats.join("\n")).toContain("The recording ends when it is full");
});

test("the same storm and seed are the same file's bytes, and the report names it", () => {
  const storm = ["simulate", "--quiet", "talk-concurrent", ...small, ...vms("2")];
  const { stdout } = bootstorm([...storm, "--trace", "a.bst"], { cwd: folder });
  expect(stdout).toMatch(
    /\ntrace +a\.bst: the last point \(guests\[0\]\.count 2\), seed 1, [\d,]+ lock\s+waits\n/,
  );
  const again = bootstorm([...storm, "--trace", "b.bst"], { cwd: folder });
  expect(again.stdout).toBe(stdout.replaceAll("a.bst", "b.bst"));
  expect(contention("a.bst").result).toEqual(contention("b.bst").result);
});

test("a file that cannot be written is refused before anything is simulated", () => {
  const { status, stdout, stderr } = bootstorm(
    ["simulate", "talk-concurrent", "--trace", "nowhere/storm.bst"],
    { cwd: folder },
  );
  expect([status, stdout]).toEqual([3, ""]);
  expect(stderr).toContain("CANNOT_WRITE");
  expect(stderr).not.toContain("simulated");
  expect(existsSync(join(folder, "nowhere"))).toBe(false);
});
