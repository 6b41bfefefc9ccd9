// `bootstorm pressure` on this machine.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  asNobody,
  binary,
  bootstorm,
  isRecording,
  leftoversOf,
  schemaErrors,
  startBootstorm,
  until,
  workersOf,
} from "../cli/bootstorm.ts";
import { needs } from "../needs.ts";

/** As little as is still a measurement. */
const SMALL = ["--rounds", "3", "--warmups", "0", "--pages", "64"];
/** Long enough to be interrupted. */
const LONG = ["pressure", "--yes", "--rounds", "10000", "--no-record"];

let cwd: string;
beforeAll(() => {
  cwd = mkdtempSync(join(tmpdir(), "bootstorm-pressure-"));
});
afterAll(() => rmSync(cwd, { recursive: true }));

const pressure = (...args: string[]) => bootstorm(["pressure", ...args], { cwd });

describe("--json", () => {
  test("keeps the schema; the curve has every phase at every number of processes", (ctx) => {
    const missing = needs("memfd_secret");
    if (missing) return ctx.skip(missing);
    const { status, stdout } = pressure(...SMALL, "--yes", "--json", "--no-record");
    expect(status).toBe(0);
    const document = JSON.parse(stdout);
    expect(schemaErrors("pressure", document)).toEqual([]);
    const { input, result } = document;
    for (const phase of ["fill", "free", "control"]) {
      const { points } = result.phases.find((each: { phase: string }) => each.phase === phase);
      expect(points.map((point: { processes: number }) => point.processes)).toEqual(
        input.processCounts,
      );
      expect(points[0].pagesPerSecond.n).toBeLessThanOrEqual(3);
    }
    expect(result).not.toHaveProperty("contention");
    expect(document.caveats.join()).toContain("--no-record was given");
  });

  test("input repeats the run: defaults and percent as a share are in it", (ctx) => {
    const missing = needs("memfd_secret");
    if (missing) return ctx.skip(missing);
    const flags = ["--processes=1", "--memory-share=0.29", "--seed=7", "--no-record", "--yes"];
    const asked = JSON.parse(pressure(...SMALL, ...flags, "--json").stdout).input;
    expect(asked).toMatchObject({ processCounts: [1], pagesPerProcess: 64, warmups: 0, seed: 7 });
    expect(asked.memoryShare).toBeCloseTo(0.0029, 12);
    const text = pressure(...SMALL, ...flags).stdout;
    const line = /How to repeat it\n─+\n {2}bootstorm (.*)\n/.exec(text)![1]!;
    expect(line).toContain("--memory-share 0.29 ");
    const again = bootstorm([...line.split(" "), "--json"], { cwd });
    expect(JSON.parse(again.stdout).input).toEqual(asked);
  });

  test("with lock waits: what each phase waited for, beside the whole machine's waits", (ctx) => {
    const missing = needs("memfd_secret", "root");
    if (missing) return ctx.skip(missing);
    const { stdout } = pressure("--rounds=5", "--pages=128", "--yes", "--json");
    const document = JSON.parse(stdout);
    expect(schemaErrors("pressure", document)).toEqual([]);
    const { contention, lockShares, recordedThroughput } = document.result;
    expect(contention.trace.source).toBe("tracefs");
    expect(contention.totals.waits).toBeGreaterThan(0);
    expect(lockShares.length).toBeGreaterThan(0);
    expect(recordedThroughput.length).toBeGreaterThan(0);
  });

  test("the schema refuses what is not an answer", (ctx) => {
    const missing = needs("memfd_secret");
    if (missing) return ctx.skip(missing);
    const flags = [...SMALL, "--processes=1", "--no-record", "--yes", "--json"];
    const document = JSON.parse(pressure(...flags).stdout);
    const { result } = document;
    expect(result.findings[0]).toEqual({ kind: "no-comparison" });
    const spoil = [
      () => delete result.directMap.before,
      () => delete result.phases[0].points[0].nsPerPage.low,
      () => (result.phases[0].phase = "flush"),
      () => (result.pagesPerProcess = 0),
      () => (result.findings[0] = { kind: "serialised", phase: "free" }),
      () => (document.input.memoryShare = 29),
    ];
    spoil.forEach((damage, done) => {
      damage();
      expect(schemaErrors("pressure", document).length).toBeGreaterThan(done);
    });
  });
});

test("progress and the warning go to standard error, so that text may be kept", (ctx) => {
  const missing = needs("memfd_secret", "large direct map");
  if (missing) return ctx.skip(missing);
  const { stdout, stderr } = pressure(...SMALL, "--processes=1", "--no-record", "--yes");
  expect(stdout).toMatch(/^On this kernel /);
  const [warning, ...progress] = stderr.trim().split("\n");
  expect(warning).toMatch(/^bootstorm: This host maps .* stay split until reboot/);
  for (const line of progress) expect(line).toMatch(/^bootstorm: changing the direct map +\d+ %$/);
});

describe("splitting large pages is a person's choice", () => {
  test("without a terminal and without --yes: NOT_AGREED, status 3, no load", (ctx) => {
    const missing = needs("large direct map");
    if (missing) return ctx.skip(missing);
    const { status, stdout, stderr } = pressure(...SMALL);
    expect([status, stdout]).toEqual([3, ""]);
    expect(stderr).toContain("the load was not run (NOT_AGREED)\n  why: it may split large pages");
    expect(stderr).toContain("\n  do:  add --yes\n");
    expect(stderr).not.toContain("changing the direct map");
  });

  test.for([
    ["n\n", 3, "(NOT_AGREED)\r\n  why: you said no"],
    ["\n", 3, "(NOT_AGREED)\r\n  why: you said no"],
    ["\u0004", 3, "(NOT_AGREED)\r\n  why: you said no"],
    ["\u0003", 130, "interrupted (INTERRUPTED)"],
  ] as const)(
    "asked on a terminal, %j: status %i, no load",
    async ([answer, status, said], ctx) => {
      const missing = needs("program script", "large direct map");
      if (missing) return ctx.skip(missing);
      const run = onTerminal(SMALL);
      await until(() => run.said().includes("Go on? [y/N]"));
      run.type(answer);
      const ended = await run.ended;
      expect(ended.status).toBe(status);
      expect(ended.stdout).toContain(said);
      expect(ended.stdout).not.toContain("changing the direct map");
    },
  );

  test("asked on a terminal, y: the load runs", async (ctx) => {
    const missing = needs("program script", "memfd_secret", "large direct map");
    if (missing) return ctx.skip(missing);
    const run = onTerminal([...SMALL, "--processes=1", "--no-record"]);
    await until(() => run.said().includes("Go on? [y/N]"));
    run.type("y\n");
    const ended = await run.ended;
    expect(ended.status).toBe(0);
    expect(ended.stdout).toContain("How it scales");
  });

  function onTerminal(flags: readonly string[]) {
    const line = [process.execPath, binary, "pressure", ...flags].join(" ");
    return startBootstorm([], { cwd, command: ["script", "-qec", line, "/dev/null"] });
  }
});

describe("interrupted while the load runs", () => {
  test.for(["SIGINT", "SIGTERM"] as const)(
    "%s: status 130, no answer, no process of the load stays",
    async (signal, ctx) => {
      const missing = needs("memfd_secret");
      if (missing) return ctx.skip(missing);
      const run = startBootstorm([...LONG, "--json"], { cwd });
      await until(() => run.said().includes("changing the direct map"));
      expect(workersOf(run.pid).length).toBeGreaterThan(0);
      run.kill(signal);
      const { status, stdout, stderr } = await run.ended;
      expect([status, stdout]).toEqual([130, ""]);
      expect(stderr).toContain("bootstorm: interrupted (INTERRUPTED)");
      expect(leftoversOf(run.pid, cwd)).toEqual([]);
    },
  );

  test("SIGKILL: the processes of the load end with it, and with them their memory", async (ctx) => {
    const missing = needs("memfd_secret");
    if (missing) return ctx.skip(missing);
    const run = startBootstorm(LONG, { cwd });
    await until(() => run.said().includes("changing the direct map"));
    expect(workersOf(run.pid).length).toBeGreaterThan(0);
    run.kill("SIGKILL");
    await run.ended;
    await until(() => workersOf(run.pid).length === 0);
    expect(leftoversOf(run.pid, cwd)).toEqual([]);
  });
});

test("SIGKILL while it records: the next start finds the instance and removes it", async (ctx) => {
  const missing = needs("root", "memfd_secret");
  if (missing) return ctx.skip(missing);
  const run = startBootstorm(["pressure", "--yes", "--rounds", "10", "--pages", "2048"], { cwd });
  await until(() => isRecording(run.pid) && workersOf(run.pid).length > 0);
  run.kill("SIGKILL");
  await run.ended;
  await until(() => workersOf(run.pid).length === 0);
  const next = ["contention", "--seconds", "0.1", "--quiet"];
  expect(bootstorm(next, { cwd }).status).toBe(0);
  expect(leftoversOf(run.pid, cwd)).toEqual([]);
});

describe("without root", () => {
  let copy: string;
  let command: readonly string[];
  beforeAll(() => {
    copy = mkdtempSync(join(tmpdir(), "bootstorm-copy-"));
    command = asNobody(copy);
  });
  afterAll(() => rmSync(copy, { recursive: true }));

  test("the curve is measured; that lock waits are missing is said, with what allows them", (ctx) => {
    const missing = needs("root", "memfd_secret", "program setpriv");
    if (missing) return ctx.skip(missing);
    const asked = ["pressure", ...SMALL, "--yes", "--json"];
    const { status, stdout } = bootstorm(asked, { cwd: copy, command });
    expect(status).toBe(0);
    const document = JSON.parse(stdout);
    expect(schemaErrors("pressure", document)).toEqual([]);
    expect(document.result).not.toHaveProperty("contention");
    expect(document.caveats).toContainEqual(expect.stringMatching(/^lock waits: .*run as root/));
  });

  test("a memory-lock limit that is too low is named, with the line that raises it", (ctx) => {
    const missing = needs("root", "memfd_secret", "program setpriv");
    if (missing) return ctx.skip(missing);
    const limited = ["sh", "-c", 'ulimit -l 64; exec "$@"', "sh", ...command];
    const asked = ["pressure", ...SMALL, "--yes"];
    const { status, stderr } = bootstorm(asked, { cwd: copy, command: limited });
    expect(status).toBe(3);
    expect(stderr).toContain("cannot lock enough memory for secret pages (MEMLOCK_TOO_LOW)");
    expect(stderr).toContain("ulimit -l unlimited");
  });

  test("without the package koffi: NO_KOFFI, and how to install it", (ctx) => {
    const missing = needs("root", "program setpriv");
    if (missing) return ctx.skip(missing);
    rmSync(join(copy, "node_modules/koffi"), { recursive: true });
    const { status, stderr } = bootstorm(["pressure", "--yes"], { cwd: copy, command });
    expect(status).toBe(3);
    expect(stderr).toContain("cannot make system calls from here (NO_KOFFI)");
    expect(stderr).toContain("\n  do:  npm install koffi\n");
  });
});
