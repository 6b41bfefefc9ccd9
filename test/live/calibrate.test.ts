// `bootstorm calibrate` on this machine: it measures, fits, and writes a file that scenarios can name.
import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
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
import { needs } from "../needs.ts";

/** As little as is still a calibration. */
const SMALL = [
  ...["--processes", "1,2", "--delays-ns", "1200", "--pages-per-file", "4,64"],
  ...["--rounds", "3", "--bootstraps", "20", "--yes"],
];

let cwd: string;
beforeEach(() => {
  cwd = mkdtempSync(join(tmpdir(), "bootstorm-calibrate-"));
});
afterEach(() => rmSync(cwd, { recursive: true }));

const calibrate = (...args: string[]) => bootstorm(["calibrate", ...args], { cwd });

test("keeps the schema; the file is what the answer says, private, and repeats are asked for alike", (ctx) => {
  const missing = needs("memfd_secret");
  if (missing) return ctx.skip(missing);
  const { status, stdout } = calibrate(...SMALL, "--json");
  expect(status).toBe(0);
  const document = JSON.parse(stdout);
  expect(schemaErrors("calibrate", document)).toEqual([]);
  const { input, result } = document;
  expect(input).toMatchObject({ processCounts: [1, 2], delaysNs: [0, 1200], bootstraps: 20 });

  const points = result.points.map((point: (typeof result.points)[number]) => [
    point.processes,
    point.pagesPerFile,
    point.delayAskedNs,
  ]);
  expect(points).toEqual(
    [1, 2].flatMap((processes) =>
      [4, 64].flatMap((pages) => [0, 1200].map((delay) => [processes, pages, delay])),
    ),
  );
  expect(result.calibration.points).toHaveLength(8);
  for (const { delayAskedNs, delayNs } of result.points) {
    expect(delayNs).toBeGreaterThanOrEqual(delayAskedNs);
  }

  const file = join(cwd, "bootstorm-costs.json");
  expect(JSON.parse(readFileSync(file, "utf8"))).toEqual(result.costs);
  expect(statSync(file).mode & 0o077).toBe(0);
  expect(result.costs.measuredOn.cpus).toBe(document.host.cpuCount);
  if (process.getuid?.() === 0) expect(result.missing).toEqual([]);

  const spoil = [
    () => delete result.costs.measuredOn,
    () => (result.calibration.holdNs.identified = "surely"),
    () => (result.points[0].nsPerPage = []),
    () => delete result.slowdown.plain,
    () => (input.delaysNs = [400]),
  ];
  spoil.forEach((damage, done) => {
    damage();
    expect(schemaErrors("calibrate", document).length).toBeGreaterThan(done);
  });
});

test("text: the answer first, then chart and tables; files that were named are there for others", (ctx) => {
  const missing = needs("memfd_secret");
  if (missing) return ctx.skip(missing);
  const named = ["--out", "lab.json", "--html", "lab.html"];
  const { status, stdout, stderr } = calibrate(...SMALL, ...named);
  expect(status).toBe(0);
  expect(stdout).toMatch(/^On this host \(/);
  expect(stdout).toContain("a page takes each process, µs");
  expect(stdout).toMatch(
    /\nlock hold and hand-off, a page +[\d,]+ +[\d,]+ +[\d,]+ +(well|weakly)\n/,
  );
  expect(stdout).toMatch(/\n +2 +64 +0 /);
  expect(stdout).toContain("What these numbers say of other loads");
  expect(stdout).toMatch(/\nCosts: lab.json\n$/);
  expect(stderr).toContain("bootstorm: measuring what a page takes");
  expect(filesIn(cwd).sort()).toEqual(["lab.html", "lab.json"]);
  expect(statSync(join(cwd, "lab.json")).mode & 0o044).toBe(0o044);
  expect(readFileSync(join(cwd, "lab.html"), "utf8")).toContain("<svg");
});

test("a scenario takes the file as its table of costs", (ctx) => {
  const missing = needs("memfd_secret");
  if (missing) return ctx.skip(missing);
  calibrate(...SMALL, "--out", "lab.json");
  const flags = ["--set", "host.costs.table=lab.json", "--set", "guests[0].memoryMiB=64"];
  const asked = ["simulate", "talk-concurrent", ...flags, "--sweep", "guests[0].count=1,2"];
  const { status, stdout } = bootstorm([...asked, "--json"], { cwd });
  expect(status).toBe(0);
  const { input, caveats } = JSON.parse(stdout);
  expect(input.scenario.host.costs.table).toBe("lab.json");
  expect(caveats).toContainEqual(expect.stringMatching(/^costs of lab.json, measured on /));
});

describe("wrong use", () => {
  test.for([
    [["--processes", "1"], "the lock cannot be told from other work (TOO_FEW_PROCESSES)"],
    [["--processes", "2"], "(TOO_FEW_PROCESSES)"],
    [["--out", "lab.txt"], "'lab.txt' does not end in .json"],
    [["--processes", "1,4096"], "--processes: 4096 is too many (TOO_MANY_PROCESSES)"],
    [["--rounds", "2"], "'2' is not a whole number from 3 to 10000"],
    [["--delays-ns", "1,-5"], "'-5' is not a whole number from 0 to 1000000"],
    [["--pages-per-file", "0"], "'0' is not a whole number from 1 to 512"],
    [["--bootstraps", "1"], "'1' is not a whole number from 20 to 10000"],
  ] as const)("%j", ([flags, said]) => {
    const { status, stdout, stderr } = calibrate(...flags);
    expect([status, stdout]).toEqual([2, ""]);
    expect(stderr).toContain(said);
    expect(filesIn(cwd)).toEqual([]);
  });

  test("a file that cannot be written is known before any work is done", () => {
    const { status, stdout, stderr } = calibrate(...SMALL, "--out", "no/where.json");
    expect([status, stdout]).toEqual([3, ""]);
    expect(stderr).toContain("cannot write no/where.json (CANNOT_WRITE)");
    expect(stderr).not.toContain("measuring");
  });

  test("without a terminal and without --yes: NOT_AGREED, no load", (ctx) => {
    const missing = needs("large direct map");
    if (missing) return ctx.skip(missing);
    const { status, stderr } = calibrate("--rounds", "3");
    expect(status).toBe(3);
    expect(stderr).toContain("(NOT_AGREED)");
    expect(filesIn(cwd)).toEqual([]);
  });
});

describe("interrupted: status 130, no answer, no process, no file", () => {
  test.for([
    ["SIGINT", "measuring what a page takes", ["--rounds", "10000"]],
    ["SIGTERM", "measuring what a page takes", ["--rounds", "10000"]],
    // The intervals alone then take longer than anybody waits.
    ["SIGINT", "fitting the model", ["--rounds", "3", "--bootstraps", "10000"]],
  ] as const)("%s while %s", async ([signal, moment, flags], ctx) => {
    const missing = needs("memfd_secret");
    if (missing) return ctx.skip(missing);
    const asked = ["calibrate", "--yes", ...flags, "--html", "never.html", "--json=never.json"];
    const run = startBootstorm(asked, { cwd });
    await until(() => run.said().includes(moment));
    run.kill(signal);
    const { status, stdout, stderr } = await run.ended;
    expect([status, stdout]).toEqual([130, ""]);
    expect(stderr).toContain("bootstorm: interrupted (INTERRUPTED)");
    expect(leftoversOf(run.pid, cwd)).toEqual([]);
    expect(filesIn(cwd)).toEqual([]);
  });

  test("SIGKILL: the processes of the load end with it", async (ctx) => {
    const missing = needs("memfd_secret");
    if (missing) return ctx.skip(missing);
    const run = startBootstorm(["calibrate", "--yes", "--rounds", "10000"], { cwd });
    await until(() => workersOf(run.pid).length > 0);
    run.kill("SIGKILL");
    await run.ended;
    await until(() => workersOf(run.pid).length === 0);
    expect(leftoversOf(run.pid, cwd)).toEqual([]);
  });
});

test("without root no lock wait is recorded, and what allows it is said; all else is there", (ctx) => {
  const missing = needs("root", "memfd_secret", "program setpriv");
  if (missing) return ctx.skip(missing);
  const copy = mkdtempSync(join(tmpdir(), "bootstorm-copy-"));
  try {
    const command = asNobody(copy);
    chmodSync(copy, 0o777);
    const { status, stdout } = bootstorm(["calibrate", ...SMALL, "--json"], { cwd: copy, command });
    expect(status).toBe(0);
    const document = JSON.parse(stdout);
    expect(schemaErrors("calibrate", document)).toEqual([]);
    expect(document.result).not.toHaveProperty("recorded");
    expect(document.caveats).toContainEqual(expect.stringMatching(/^lock waits: .*run as root/));
  } finally {
    rmSync(copy, { recursive: true });
  }
});
