// `bootstorm investigate` on this machine: the whole job, and what is left of one that failed.
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import {
  asNobody,
  bootstorm,
  filesIn,
  leftoversOf,
  schemaErrors,
  startBootstorm,
  until,
  workersOf,
} from "../cli/bootstorm.ts";
import { vmNeeds } from "../fixtures/vms.ts";
import { needs } from "../needs.ts";

const SMALL = ["--yes", "--rounds", "3", "--warmups", "0", "--pages", "64", "--no-storm"];
const NO_STORM = { what: "boots of real VMs", why: "--no-storm was given" };

let cwd: string;
beforeEach(() => {
  cwd = mkdtempSync(join(tmpdir(), "bootstorm-investigate-"));
});
afterEach(() => rmSync(cwd, { recursive: true }));

const investigate = (...args: string[]) => bootstorm(["investigate", ...args], { cwd });

test("keeps the schema; its answer is its first finding; its recordings can be read again", (ctx) => {
  const missing = needs("root", "memfd_secret");
  if (missing) return ctx.skip(missing);
  const { status, stdout } = investigate(...SMALL, "--out", "run", "--json");
  expect(status).toBe(0);
  const document = JSON.parse(stdout);
  expect(schemaErrors("investigate", document)).toEqual([]);
  const { answer, findings, pressure, missing: notSeen, reproduce } = document.result;
  expect(answer.lead).toEqual(findings[0]);
  expect(notSeen).toEqual([NO_STORM]);
  const { processCounts } = document.input;
  if (processCounts.length > 1) {
    const { processes, points, curve } = document.result.prediction;
    expect(processes).toBe(processCounts.at(-1));
    expect(points.map((point: { pagesPerFile: number }) => point.pagesPerFile)).toEqual([4, 64]);
    expect(curve.map((point: { processes: number }) => point.processes)).toEqual(processCounts);
  }
  expect(reproduce).toContainEqual(
    expect.stringMatching(/^bootstorm investigate --processes 1.* --seed 1 --yes --no-storm$/),
  );

  expect(filesIn(join(cwd, "run")).sort()).toEqual([
    "report.html",
    "waits-with-stacks.bst",
    "waits.bst",
  ]);
  const again = bootstorm(["contention", "run/waits.bst", "--json"], { cwd });
  expect(JSON.parse(again.stdout).result.trace).toEqual(pressure.contention.trace);

  document.result.answer = {};
  expect(schemaErrors("investigate", document)).not.toEqual([]);
});

test("text: the answer first, the report's place last; a new private folder for each run", (ctx) => {
  const missing = needs("memfd_secret");
  if (missing) return ctx.skip(missing);
  const { stdout } = investigate(...SMALL, "--no-record");
  expect(stdout).toMatch(/^On this kernel /);
  const folder = join(cwd, "bootstorm-runs", filesIn(join(cwd, "bootstorm-runs"))[0]!);
  expect(stdout).toMatch(new RegExp(`\nReport: file://${folder}/report.html\n$`));
  expect(statSync(folder).mode & 0o077).toBe(0);
  expect(readFileSync(join(folder, "report.html"), "utf8")).toContain("--no-record was given");
});

describe("a short storm of real VMs", () => {
  const WITH_STORM = SMALL.filter((flag) => flag !== "--no-storm");

  test("stands beside the load, and its run can be read again", (ctx) => {
    const missing = vmNeeds("memfd_secret");
    if (missing) return ctx.skip(missing);
    const flags = [...WITH_STORM, "--processes", "1", "--no-record", "--out", "run", "--json"];
    const { status, stdout, stderr } = investigate(...flags);
    expect(status, stderr).toBe(0);
    const document = JSON.parse(stdout);
    expect(schemaErrors("investigate", document)).toEqual([]);
    const { storm } = document.result;
    const { cpuCount } = document.host;
    expect(storm.points).toMatchObject([{ vms: 1 }, { vms: Math.min(64, 2 * cpuCount) }]);
    const again = bootstorm(["storm", "--from", "run/storm", "--json"], { cwd });
    expect(JSON.parse(again.stdout).result).toEqual(storm);
    const page = readFileSync(join(cwd, "run/report.html"), "utf8");
    expect(page).toContain("Real VMs: Every point");
    const ids = [...page.matchAll(/ id="([^"]+)"/g)].map(([, id]) => id);
    expect(ids.length).toBe(new Set(ids).size);
    expect(investigate(...flags).stderr).toContain("run/storm holds a run already (RUN_EXISTS)");
  });

  test("without QEMU is missing, with the remedy, and the rest is done", (ctx) => {
    const missing = needs("memfd_secret");
    if (missing) return ctx.skip(missing);
    const args = ["investigate", ...WITH_STORM, "--processes", "1", "--no-record", "--json"];
    const { status, stdout } = bootstorm(args, { cwd, env: { ...process.env, PATH: cwd } });
    expect(status).toBe(0);
    const document = JSON.parse(stdout);
    expect(schemaErrors("investigate", document)).toEqual([]);
    expect(document.result.missing).toContainEqual({
      what: "boots of real VMs",
      why: "qemu-system-x86_64 is not in PATH",
      remedy: expect.stringContaining("apt-get install qemu-system-x86"),
    });
    expect(document.result.pressure.phases.length).toBe(3);
  });
});

describe("what a calibrated model predicts of this host", () => {
  test("stands beside what was measured, with its error, in both reports", (ctx) => {
    const missing = needs("memfd_secret");
    if (missing) return ctx.skip(missing);
    const { stdout } = investigate(...SMALL, "--no-record", "--processes", "1,2", "--out", "run");
    expect(stdout).toMatch(/A model fitted to fewer processes and to slowed ones predicts/);
    expect(stdout).toContain("\nWhat a calibrated model predicts of this host\n");
    const said = stdout.replaceAll(/\s+/g, " ");
    expect(said).toMatch(/Files of 64 pages, 2 processes: predicted .*% too (high|low)\./);
    const page = readFileSync(join(cwd, "run/report.html"), "utf8");
    expect(page).toContain('<svg class="wide" viewBox');
    expect(page).toContain('id="prediction-wide-title"');
  });

  test.for(["1", "2"])(
    "with %s processes alone nothing can be predicted, and that is said",
    (processes, ctx) => {
      const missing = needs("memfd_secret");
      if (missing) return ctx.skip(missing);
      const flags = [...SMALL, "--no-record", "--processes", processes, "--json"];
      const document = JSON.parse(investigate(...flags).stdout);
      expect(schemaErrors("investigate", document)).toEqual([]);
      expect(document.result.prediction.why).toMatch(/^only one number of processes|has one CPU/);
    },
  );
});

describe("a folder that cannot be written is known before any work is done", () => {
  test.for([
    ["file/run", "a part of the path is not a folder"],
    ["file", "a file is in the way"],
    ["/proc/self", ""],
  ] as const)("%s", ([out, why], ctx) => {
    const missing = needs("memfd_secret");
    if (missing) return ctx.skip(missing);
    writeFileSync(join(cwd, "file"), "");
    const { status, stdout, stderr } = investigate(...SMALL, "--out", out);
    expect([status, stdout]).toEqual([3, ""]);
    expect(stderr).toMatch(/^bootstorm: cannot write \S+ \(CANNOT_WRITE\)\n {2}why: /);
    expect(stderr).toContain(why);
    expect(filesIn(cwd)).toEqual(["file"]);
  });
});

test("on a full disk: CANNOT_WRITE, and not even the folder of the run stays", (ctx) => {
  const missing = needs("root");
  if (missing) return ctx.skip(missing);
  const disk = join(cwd, "full");
  mkdirSync(disk);
  spawnSync("mount", ["-t", "tmpfs", "-o", "size=16k", "bootstorm-test", disk]);
  try {
    writeFileSync(join(disk, "filler"), "x".repeat(16 << 10));
    const { status, stdout, stderr } = investigate(...SMALL, "--out", "full/runs/first");
    expect([status, stdout]).toEqual([3, ""]);
    expect(stderr).toContain(
      "(CANNOT_WRITE)\n  why: the file system is full\n  do:  free some space",
    );
    expect(filesIn(disk)).toEqual(["filler"]);
  } finally {
    spawnSync("umount", [disk]);
  }
});

describe("interrupted: status 130, no answer, and nothing of ours stays, not even a folder", () => {
  test.for([
    ["SIGINT", "looking at this host"],
    ["SIGTERM", "workers"],
    ["SIGINT", "workers"],
  ] as const)("%s at: %s", async ([signal, moment], ctx) => {
    const missing = needs("memfd_secret");
    if (missing) return ctx.skip(missing);
    const flags = ["--yes", "--rounds", "10000", "--json"];
    const run = startBootstorm(["investigate", ...flags], { cwd });
    await until(() =>
      moment === "workers" ? workersOf(run.pid).length > 0 : run.said().includes(moment),
    );
    run.kill(signal);
    const { status, stdout, stderr } = await run.ended;
    expect([status, stdout]).toEqual([130, ""]);
    expect(stderr).toContain("bootstorm: interrupted (INTERRUPTED)");
    expect(leftoversOf(run.pid, cwd)).toEqual([]);
    expect(filesIn(cwd)).toEqual([]);
  });

  test("a folder that was there before stays, with what is in it", async (ctx) => {
    const missing = needs("memfd_secret");
    if (missing) return ctx.skip(missing);
    mkdirSync(join(cwd, "kept"));
    writeFileSync(join(cwd, "kept/notes"), "mine");
    const flags = ["--yes", "--rounds", "10000", "--out", "kept"];
    const run = startBootstorm(["investigate", ...flags], { cwd });
    await until(() => workersOf(run.pid).length > 0);
    run.kill("SIGINT");
    await run.ended;
    expect(filesIn(join(cwd, "kept"))).toEqual(["notes"]);
  });
});

test("what a host lacks is said in the report, and the rest is done: no root, then no koffi", (ctx) => {
  const missing = needs("root", "memfd_secret", "program setpriv");
  if (missing) return ctx.skip(missing);
  const command = asNobody(cwd);
  mkdirSync(join(cwd, "home"));
  spawnSync("chmod", ["a+rwx", join(cwd, "home")]);
  const asked = ["investigate", ...SMALL, "--json"];
  const run = () => {
    const { status, stdout } = bootstorm(asked, { cwd: join(cwd, "home"), command });
    expect(status).toBe(0);
    const document = JSON.parse(stdout);
    expect(schemaErrors("investigate", document)).toEqual([]);
    expect(filesIn(join(cwd, "home", document.input.out))).toEqual(["report.html"]);
    return document.result;
  };
  const withoutRoot = run();
  expect(withoutRoot.pressure.phases.length).toBe(3);
  expect(withoutRoot.missing).toEqual([
    { what: "lock waits", why: expect.any(String), remedy: "run as root" },
    NO_STORM,
  ]);

  rmSync(join(cwd, "node_modules/koffi"), { recursive: true });
  rmSync(join(cwd, "home/bootstorm-runs"), { recursive: true });
  const withoutKoffi = run();
  expect(withoutKoffi.answer.lead.kind).toBe("no-pressure");
  expect(withoutKoffi.missing).toEqual([
    { what: "the load", why: expect.stringContaining("koffi"), remedy: "npm install koffi" },
    NO_STORM,
  ]);
  expect(withoutKoffi.prediction.why).toMatch(/^the load was not run \(.*koffi/);
});
