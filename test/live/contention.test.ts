// `bootstorm contention` on this machine, live and from recordings.
import { spawnSync } from "node:child_process";
import {
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { lockWaits } from "../../src/core/analyze/lock-wait.ts";
import { spinEvidence } from "../../src/core/analyze/spin-evidence.ts";
import { busiestWindow, waitTimeline } from "../../src/core/analyze/wait-timeline.ts";
import { BootstormError, EXIT } from "../../src/core/error.ts";
import { readTrace } from "../../src/core/event/codec.ts";
import { randomFrom } from "../../src/core/random.ts";
import { contentionReport } from "../../src/core/report/contention-report.ts";
import { htmlPage } from "../../src/core/report/html-page.ts";
import { terminalReport } from "../../src/core/report/terminal-report.ts";
import { openRecorder, RECORDER_DEFAULTS } from "../../src/host/tracefs/recorder.ts";
import {
  asNobody,
  binary,
  bootstorm,
  filesIn,
  isRecording,
  leftoversOf,
  schemaErrors,
  startBootstorm,
  until,
  untilGone,
} from "../cli/bootstorm.ts";
import { needs } from "../needs.ts";

/** Processes that start, map files and end together: waits of every kind. */
const BUSY = ["sh", "-c", "for i in 1 2 3 4 5 6 7 8; do ls -R /usr/share > /dev/null & done; wait"];

// Two threads meet at one lock, as perf script tells it.
const PERF_SCRIPT = `\
CPU 0/KVM  2101/2122  [001]  2630.264044123:  lock:contention_begin: 0xffffffff83b53c30 (flags=SPIN)
	ffffffff82201ca5 __pv_queued_spin_lock_slowpath+0x1b5 ([kernel.kallsyms])
	ffffffff813461d1 __change_page_attr_set_clr+0x91 ([kernel.kallsyms])
	ffffffff81346bd1 set_direct_map_invalid_noflush+0x41 ([kernel.kallsyms])

CPU 0/KVM  2101/2122  [001]  2630.264046123:  lock:contention_end: 0xffffffff83b53c30 (ret=0)

CPU 0/KVM  2102/2130  [000]  2630.264050123:  lock:contention_begin: 0xffffffff83b53c30 (flags=SPIN)

CPU 0/KVM  2102/2130  [000]  2630.264051123:  lock:contention_end: 0xffffffff83b53c30 (ret=0)
`;

let cwd: string;
const path = (name: string) => join(cwd, name);
beforeAll(() => {
  cwd = mkdtempSync(join(tmpdir(), "bootstorm-contention-"));
  writeFileSync(path("perf.txt"), PERF_SCRIPT);
  spawnSync(process.execPath, [binary, "contention", "perf.txt", "--save", "saved.bst"], { cwd });
});
afterAll(() => rmSync(cwd, { recursive: true }));

const contention = (...args: string[]) => bootstorm(["contention", ...args], { cwd });

describe("a recording that was made before needs no rights", () => {
  test("the text of perf script: rows by lock, caller named, what was not seen said", () => {
    const { status, stdout, stderr } = contention("perf.txt", "--json");
    expect([status, stderr]).toEqual([0, ""]);
    const document = JSON.parse(stdout);
    expect(schemaErrors("contention", document)).toEqual([]);
    expect(document.input).toEqual({ file: "perf.txt", by: "caller" });
    expect(document.result.rows[0]).toMatchObject({
      lock: { name: "cpa_lock", address: "0xffffffff83b53c30", evidence: "caller" },
      caller: "set_direct_map_invalid_noflush",
      waits: 1,
      waitNsTotal: 2000,
    });
    expect(document.result.totals).toEqual({ waits: 2, waitNsTotal: 3000 });
  });

  test("--by process: as many rows as processes, and no callers", () => {
    const { rows } = JSON.parse(contention("perf.txt", "--by", "process", "--json").stdout).result;
    expect(rows.map((row: { process: string }) => row.process)).toEqual([
      "CPU 0/KVM (2101)",
      "CPU 0/KVM (2102)",
    ]);
    expect(rows[0]).not.toHaveProperty("caller");
  });

  test("the text of perf script and what --save made of it give the same answer", () => {
    const [text, saved] = ["perf.txt", "saved.bst"].map((file) => contention(file, "--json"));
    expect(JSON.parse(saved!.stdout).result).toEqual(JSON.parse(text!.stdout).result);
  });

  test("--json before the file is the flag, and does not overwrite the recording", () => {
    const before = readFileSync(path("saved.bst"));
    const { status, stdout } = contention("--json", "saved.bst");
    expect([status, JSON.parse(stdout).input.file]).toEqual([0, "saved.bst"]);
    expect(readFileSync(path("saved.bst"))).toEqual(before);
  });

  test("the schema refuses what is not an answer", () => {
    const document = JSON.parse(contention("perf.txt", "--json").stdout);
    const spoil = [
      () => delete document.caveats,
      () => delete document.result.trace.lost,
      () => (document.result.rows[0].waits = 0),
      () => (document.result.rows[0].lock.address = 4096),
      () => (document.result.rows[0].waitNsTotal = 0.5),
      () => (document.result.trace.source = "hearsay"),
    ];
    spoil.forEach((damage, done) => {
      damage();
      expect(schemaErrors("contention", document).length).toBeGreaterThan(done);
    });
  });
});

describe("what cannot be read ends with status 4 and says why", () => {
  const PNG = Buffer.from(
    "89504e470d0a1a0a0000000d49484452000000100000001008060000001ff3ff61",
    "hex",
  );
  const files: Record<string, () => Uint8Array> = {
    empty: () => new Uint8Array(),
    "picture.png": () => PNG,
    "perf.data": () => Buffer.concat([Buffer.from("PERFILE2"), PNG]),
    "cut.bst": () => readFileSync(path("saved.bst")).subarray(0, -20),
    "head-only.bst": () => readFileSync(path("saved.bst")).subarray(0, 30),
    "newer.bst": () => spoilt(readFileSync(path("saved.bst")), 8, 9),
    "cpus.bst": () =>
      Buffer.from(
        readFileSync(path("saved.bst"), "latin1").replace('"cpuCount":2', '"cpuCount":0'),
        "latin1",
      ),
  };
  test.each([
    ["nowhere.bst", "CANNOT_READ", "there is no such file"],
    [".", "CANNOT_READ", "it is a folder"],
    ["empty", "NOT_A_RECORDING", "none of its 0 lines is a lock event"],
    ["picture.png", "NOT_A_RECORDING", "is a lock event"],
    ["perf.data", "NOT_A_RECORDING", "the binary file of perf record"],
    ["cut.bst", "BAD_TRACE", "lies outside the file"],
    ["head-only.bst", "BAD_TRACE", "its header is cut off"],
    ["newer.bst", "NEWER_TRACE", "it has version 9"],
    ["cpus.bst", "BAD_TRACE", "its header lacks something"],
  ])("%s: %s, %s", (file, code, why) => {
    const bytes = files[file]?.();
    if (bytes !== undefined) writeFileSync(path(file), bytes);
    const { status, stdout, stderr } = contention(file, "--json");
    expect([status, stdout]).toEqual([4, ""]);
    expect(stderr).toContain(`bootstorm: cannot read ${file} (${code})\n  why: `);
    expect(stderr).toContain(why);
    expect(stderr).toContain("\n  do:  ");
  });

  test("a recording with any bit flipped is refused or reported, never a crash", () => {
    const recording = readFileSync(path("saved.bst"));
    const seed = 20_221_107;
    const random = randomFrom(seed);
    for (let flip = 0; flip < 400; flip += 1) {
      const bit = random.below(recording.length * 8);
      try {
        report(spoilt(recording, bit >> 3, recording[bit >> 3]! ^ (1 << (bit & 7))));
      } catch (error) {
        const refused = error instanceof BootstormError && error.exit === EXIT.input;
        expect(refused, `seed ${seed}, bit ${bit}: ${(error as Error).stack}`).toBe(true);
      }
    }
  });

  function spoilt(bytes: Uint8Array, at: number, value: number): Uint8Array {
    const copy = Uint8Array.from(bytes);
    copy[at] = value;
    return copy;
  }

  function report(bytes: Uint8Array): void {
    const trace = readTrace(bytes);
    const result = lockWaits(trace, { by: "caller" });
    expect(JSON.stringify(result)).not.toContain("null");
    const timeline = waitTimeline(trace, { ...busiestWindow(trace, 1e6), waitsMax: 100 });
    const input = { contention: result, timeline, visibility: spinEvidence(trace), notes: [] };
    const page = contentionReport(input, { version: "0.0.0", at: "never" });
    htmlPage(page);
    terminalReport(page, { width: 80, ascii: false });
  }
});

describe("a file and a recording of now exclude each other", () => {
  test.each([[["--live"]], [["--seconds", "1"]], [["--no-stacks"]], [["--", "true"]]])(
    "%s",
    (args) => {
      const { status, stderr } = contention("saved.bst", ...args);
      expect(status).toBe(2);
      expect(stderr).toContain("saved.bst is a recording, and cannot be recorded again");
    },
  );
});

describe("files are written whole or not at all", () => {
  test.each(["--html", "--save"])("%s into a folder that is missing", (flag) => {
    const before = filesIn(cwd);
    const { status, stdout, stderr } = contention("perf.txt", flag, "no/such/file");
    expect([status, stdout]).toEqual([3, ""]);
    expect(stderr).toContain(
      "cannot write no/such/file (CANNOT_WRITE)\n  why: its folder does not",
    );
    expect(filesIn(cwd)).toEqual(before);
  });

  test("a path that cannot be written is refused before anything is recorded", () => {
    const { stderr } = contention("--live", "--seconds", "86400", "--save", ".");
    expect(stderr).toContain("cannot write . (CANNOT_WRITE)\n  why: it is a folder");
  });

  test("on a full disk: CANNOT_WRITE, and what was there before stays as it was", (ctx) => {
    const missing = needs("root");
    if (missing) return ctx.skip(missing);
    mkdirSync(path("full"));
    spawnSync("mount", ["-t", "tmpfs", "-o", "size=16k", "bootstorm-test", path("full")]);
    try {
      writeFileSync(path("full/page.html"), "x".repeat(16 << 10));
      for (const flag of ["--html", "--save", "--json"]) {
        const { status, stdout, stderr } = contention("perf.txt", `${flag}=full/page.html`);
        expect([status, stdout]).toEqual([3, ""]);
        expect(stderr).toContain(
          "cannot write full/page.html (CANNOT_WRITE)\n  why: the file system is full",
        );
      }
      expect(filesIn(path("full"))).toEqual(["page.html"]);
      expect(statSync(path("full/page.html")).size).toBe(16 << 10);
    } finally {
      spawnSync("umount", [path("full")]);
    }
  });

  test("a device is written to, not replaced; its being full is told", () => {
    const { status, stderr } = contention("perf.txt", "--html", "/dev/full");
    expect([status, statSync("/dev/full").isCharacterDevice()]).toEqual([3, true]);
    expect(stderr).toContain(
      "cannot write /dev/full (CANNOT_WRITE)\n  why: the file system is full",
    );
  });

  test("a link stays, and the file it points to is replaced", () => {
    writeFileSync(path("page.html"), "old");
    symlinkSync("page.html", path("link.html"));
    expect(contention("perf.txt", "--html", "link.html").status).toBe(0);
    expect(lstatSync(path("link.html")).isSymbolicLink()).toBe(true);
    expect(readFileSync(path("page.html"), "utf8")).toMatch(/^<!doctype html>/i);
  });

  test("a recording is its owner's alone; a report may be read by others", () => {
    contention("perf.txt", "--save", "own.bst", "--html", "shared.html");
    expect(statSync(path("own.bst")).mode & 0o077).toBe(0);
    expect(statSync(path("shared.html")).mode & 0o044).toBe(0o044);
  });
});

describe("live", () => {
  test("for a time: keeps the schema, and says what was asked, defaults included", (ctx) => {
    const missing = needs("root");
    if (missing) return ctx.skip(missing);
    const { status, stdout, stderr } = contention("--seconds", "0.3", "--json", "--quiet");
    expect([status, stderr]).toEqual([0, ""]);
    const document = JSON.parse(stdout);
    expect(schemaErrors("contention", document)).toEqual([]);
    expect(document.input).toEqual({
      live: true,
      seconds: 0.3,
      stacks: true,
      bufferKiBPerCpu: 4096,
      command: [],
      by: "caller",
    });
    expect(document.result.trace.spanNs).toBeGreaterThanOrEqual(300_000_000);
  });

  test("around a command: what --save kept gives the rows that were shown", (ctx) => {
    const missing = needs("root");
    if (missing) return ctx.skip(missing);
    const live = contention("--save", "busy.bst", "--json", "--", ...BUSY);
    const document = JSON.parse(live.stdout);
    expect(schemaErrors("contention", document)).toEqual([]);
    expect(document.input.command).toEqual(BUSY);
    expect(document.result.rows.length).toBeGreaterThan(0);
    expect(document.result.trace).toMatchObject({ source: "tracefs", lost: 0 });
    expect(document.result.rows.some((row: object) => "caller" in row)).toBe(true);
    const saved = contention("busy.bst", "--json");
    expect(JSON.parse(saved.stdout).result).toEqual(document.result);
    const text = contention("busy.bst");
    expect(text.stdout).toMatch(/^In [\d.]+ m?s on \d+ CPUs? waits for locks added up to /);
  });

  test("--no-stacks: no caller in any row; --by process: processes instead", (ctx) => {
    const missing = needs("root");
    if (missing) return ctx.skip(missing);
    const { stdout } = contention("--no-stacks", "--save=bare.bst", "--json", "--", ...BUSY);
    const { rows } = JSON.parse(stdout).result;
    expect(rows.length).toBeGreaterThan(0);
    for (const row of rows) expect(row).not.toHaveProperty("caller");
    const byProcess = JSON.parse(contention("bare.bst", "--by=process", "--json").stdout).result;
    const named = byProcess.rows.filter((row: object) => "process" in row);
    expect(named.length, "all but the idle threads have a process").toBeGreaterThan(0);
    for (const row of named) expect(row.process).toMatch(/^.+ \(\d+\)$/);
  });

  test("what the command prints goes to standard error; its failure is a caveat, not ours", (ctx) => {
    const missing = needs("root");
    if (missing) return ctx.skip(missing);
    const { status, stdout, stderr } = contention("--json", "--", "sh", "-c", "echo mine; exit 3");
    expect(status).toBe(0);
    expect(JSON.parse(stdout).caveats).toContain("the command ended with status 3");
    expect(stderr).toContain("mine\n");
  });

  test.for([
    ["no-such-program", "there is no such program in PATH"],
    ["/etc/passwd", "it is no program, or you may not run it"],
  ] as const)("a command that does not start is wrong use: %s", ([program, why], ctx) => {
    const missing = needs("root");
    if (missing) return ctx.skip(missing);
    const { status, stdout, stderr } = contention("--", program);
    expect([status, stdout]).toEqual([2, ""]);
    expect(stderr).toContain(
      `bootstorm: cannot start ${program} (COMMAND_NOT_STARTED)\n  why: ${why}`,
    );
  });

  test("--seconds ends a command that goes on, even one that ignores SIGTERM", async (ctx) => {
    const missing = needs("root");
    if (missing) return ctx.skip(missing);
    const deaf = "trap '' TERM; echo $$; while :; do sleep 1000; done";
    const { status, stdout, stderr } = contention(
      "--seconds=0.1",
      "--json",
      "--",
      "sh",
      "-c",
      deaf,
    );
    expect(status).toBe(0);
    expect(JSON.parse(stdout).caveats).toContain("the command was ended after 0.1 s");
    await untilGone(stderr);
  });

  test("a buffer that the kernel cannot give is refused, and no instance stays", (ctx) => {
    const missing = needs("root");
    if (missing) return ctx.skip(missing);
    const allMemoryKiB = Number(/MemTotal: +(\d+)/.exec(readFileSync("/proc/meminfo", "utf8"))![1]);
    const open = () => openRecorder({ ...RECORDER_DEFAULTS, bufferKiBPerCpu: allMemoryKiB });
    expect(open).toThrow(expect.objectContaining({ code: "NO_BUFFER", exit: EXIT.host }));
    expect(leftoversOf(process.pid, cwd)).toEqual([]);
  });
});

describe("interrupted while it records", () => {
  test.for(["SIGINT", "SIGTERM", "SIGHUP"] as const)(
    "%s: status 130, no answer, and nothing of ours stays",
    async (signal, ctx) => {
      const missing = needs("root");
      if (missing) return ctx.skip(missing);
      const run = startBootstorm(["contention", "--save=never.bst", "--json"], { cwd });
      await until(() => isRecording(run.pid));
      run.kill(signal);
      const { status, stdout, stderr } = await run.ended;
      expect([status, stdout]).toEqual([130, ""]);
      expect(stderr).toContain("bootstorm: interrupted (INTERRUPTED)");
      expect(leftoversOf(run.pid, cwd)).toEqual([]);
      expect(filesIn(cwd)).not.toContain("never.bst");
    },
  );

  test("the command that was watched ends too, with all that it started", async (ctx) => {
    const missing = needs("root");
    if (missing) return ctx.skip(missing);
    const command = ["sh", "-c", "sleep 1000 & echo $! $$; wait"];
    const run = startBootstorm(["contention", "--", ...command], { cwd });
    await until(() => /\d+ \d+\n/.test(run.said()));
    run.kill("SIGINT");
    const { status, stderr } = await run.ended;
    expect(status).toBe(130);
    await untilGone(stderr);
    expect(leftoversOf(run.pid, cwd)).toEqual([]);
  });

  test("a second signal does not wait for a command that will not end", async (ctx) => {
    const missing = needs("root");
    if (missing) return ctx.skip(missing);
    const deaf = "trap 'echo heard' TERM; echo $$; while :; do sleep 0.05; done";
    const run = startBootstorm(["contention", "--", "sh", "-c", deaf], { cwd });
    await until(() => /\d+\n/.test(run.said()));
    run.kill("SIGINT");
    await until(() => run.said().includes("heard"));
    run.kill("SIGINT");
    const { status, stderr } = await run.ended;
    expect(status).toBe(130);
    await untilGone(stderr);
    expect(leftoversOf(run.pid, cwd)).toEqual([]);
  });

  test("SIGKILL: the next start removes the instance and the mount", async (ctx) => {
    const missing = needs("root");
    if (missing) return ctx.skip(missing);
    const run = startBootstorm(["contention"], { cwd });
    await until(() => isRecording(run.pid));
    expect(leftoversOf(run.pid, cwd), "what is there can be seen").not.toEqual([]);
    run.kill("SIGKILL");
    expect((await run.ended).signal).toBe("SIGKILL");
    expect(contention("--seconds", "0.1", "--quiet").status).toBe(0);
    expect(leftoversOf(run.pid, cwd)).toEqual([]);
  });
});

test("without the right to record: TRACEFS_NOT_PERMITTED, with what to do; a file is still read", (ctx) => {
  const missing = needs("root", "program setpriv");
  if (missing) return ctx.skip(missing);
  const copy = mkdtempSync(join(tmpdir(), "bootstorm-copy-"));
  try {
    const command = asNobody(copy);
    writeFileSync(join(copy, "perf.txt"), PERF_SCRIPT, { mode: 0o644 });
    const live = bootstorm(["contention", "--seconds", "0.1"], { cwd: copy, command });
    expect([live.status, live.stdout]).toEqual([3, ""]);
    expect(live.stderr).toContain("cannot record lock events (TRACEFS_NOT_PERMITTED)\n  why: ");
    expect(live.stderr).toContain("\n  do:  run as root\n");
    const read = bootstorm(["contention", "perf.txt"], { cwd: copy, command });
    expect([read.status, read.stderr]).toEqual([0, ""]);
  } finally {
    rmSync(copy, { recursive: true });
  }
});
