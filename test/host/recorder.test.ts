// The recorder and the readers against two independent witnesses: the kernel's own printer and perf.
import { spawn, spawnSync } from "node:child_process";
import {
  closeSync,
  constants,
  existsSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  rmSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, test } from "vitest";
import { addressTable } from "../../src/core/event/address-table.ts";
import type { Trace } from "../../src/core/event/schema.ts";
import { stackBuilder } from "../../src/core/event/stack-builder.ts";
import { quantileSorted } from "../../src/core/stats/distribution.ts";
import { parseEventFormat } from "../../src/core/trace/event-format.ts";
import { readPerfScript } from "../../src/core/trace/perf-script.ts";
import { decodePages, eventLayout } from "../../src/core/trace/ring-buffer.ts";
import { readTracefs } from "../../src/core/trace/tracefs.ts";
import { createInstance } from "../../src/host/tracefs/instance.ts";
import { openRecorder, RECORDER_DEFAULTS } from "../../src/host/tracefs/recorder.ts";
import { kernelSymbols } from "../../src/host/tracefs/symbols.ts";
import { needs } from "../needs.ts";

/** Two hundred processes that pass messages: run-queue, epoll, page and socket locks of every kind. */
const STORM = ["bench", "sched", "messaging", "-g", "5", "-l", "1000"];

const FIELDS = "comm,pid,tid,cpu,time,event,trace";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "bootstorm-test-"));
});
afterEach(() => {
  rmSync(folder, { recursive: true });
});

test("decodes, event for event, what the kernel prints of the same buffer", (context) => {
  const missing = needs("root", "program perf");
  if (missing) return context.skip(missing);
  const instance = createInstance();
  try {
    instance.set("trace_clock", "mono");
    instance.set("trace_options", "nohash-ptr");
    instance.set("buffer_size_kb", "8192");
    const events = ["contention_begin", "contention_end"];
    for (const event of events) instance.set(`events/lock/${event}/enable`, "1");
    run("perf", STORM);
    instance.set("tracing_on", "0");

    const printed = parseKernelText(instance.get("trace"));
    const formats = events.map(
      (event) => parseEventFormat(instance.get(`events/lock/${event}/format`))!,
    );
    const locks = addressTable();
    const decoded = readdirSync(`${instance.path}/per_cpu`).flatMap((cpu) => {
      const pages = readAllPages(`${instance.path}/per_cpu/${cpu}/trace_pipe_raw`);
      const { contention } = decodePages(
        pages,
        0n,
        eventLayout(formats),
        locks,
        addressTable(),
        stackBuilder(),
      );
      const number = Number(cpu.slice(3));
      return Array.from({ length: contention.length }, (_, i) => ({ cpu: number, i, contention }));
    });
    const addresses = locks.addresses();
    const ours = decoded.map(({ cpu, i, contention }) => ({
      cpu,
      tid: contention.tid[i],
      // The kernel rounds to microseconds: ns2usecs of include/linux/trace_clock.h
      us: Math.floor((contention.t[i]! + 500) / 1000),
      kind: contention.isEnd[i] === 1 ? "end" : "begin",
      lock: addresses[contention.lock[i]!],
    }));
    const order = (a: { cpu: number }, b: { cpu: number }) => a.cpu - b.cpu;
    expect(ours.length).toBeGreaterThan(500);
    expect(ours.sort(order)).toEqual(printed.sort(order));
  } finally {
    instance.remove();
  }
});

test("pairs perf's own event stream as perf lock contention does, thread by thread", (context) => {
  const missing = needs("root", "program perf");
  if (missing) return context.skip(missing);
  const data = join(folder, "perf.data");
  // Thread 0 is the idle thread of every CPU; perf takes them for one.
  const record = ["record", "-q", "-o", data, "-a", "-g", "-m", "4M"];
  const noIdle = ["--filter", "common_pid != 0"];
  const events = ["begin", "end"].flatMap((end) => ["-e", `lock:contention_${end}`, ...noIdle]);
  run("perf", [...record, ...events, "--", "perf", ...STORM]);

  const text = run("perf", ["script", "-i", data, "--ns", "-F", FIELDS]);
  const { lockWait } = readPerfScript(Buffer.from(text)).tables;
  const ours = new Map<number, { waits: number; waitNs: number }>();
  for (let i = 0; i < lockWait.length; i += 1) {
    const sum = ours.get(lockWait.tid[i]!) ?? { waits: 0, waitNs: 0 };
    ours.set(lockWait.tid[i]!, { waits: sum.waits + 1, waitNs: sum.waitNs + lockWait.waitNs[i]! });
  }

  const theirs = parsePerfByThread(run("perf", ["lock", "contention", "-i", data, "-t"]));
  expect(theirs.size).toBeGreaterThan(20);
  expect(new Map([...ours].map(([tid, sum]) => [tid, sum.waits]))).toEqual(
    new Map([...theirs].map(([tid, sum]) => [tid, sum.waits])),
  );
  for (const [tid, { waitNs, roundingNs }] of theirs) {
    expect(Math.abs(ours.get(tid)!.waitNs - waitNs), `thread ${tid}`).toBeLessThanOrEqual(
      roundingNs,
    );
  }
});

test.for([
  ["alone", false] as const,
  ["with call stacks, less the time that walking them took", true] as const,
])(
  "records the same waits as perf does at the same time, lock by lock: %s",
  ([, stacks], context) => {
    const missing = needs("root", "program perf");
    if (missing) return context.skip(missing);
    const data = join(folder, "perf.data");
    const recorder = openRecorder({ ...RECORDER_DEFAULTS, stacks, bufferKiBPerCpu: 32768 });
    let trace: Trace;
    try {
      recorder.start();
      const record = ["record", "-q", "-o", data, "-a", "-k", "mono", "-m", "8M"];
      const events = ["-e", "lock:contention_begin,lock:contention_end"];
      run("perf", [...record, ...events, "--", "perf", ...STORM]);
      trace = readTracefs(recorder.stop(), kernelSymbols());
    } finally {
      recorder.close();
    }
    expect(trace.meta.lost).toBe(0);
    const text = run("perf", ["script", "-i", data, "--ns", "-F", FIELDS]);
    const perf = readPerfScript(Buffer.from(text));

    // perf starts after and stops before us; compare what both were there for.
    const from = perf.meta.origin.ns;
    const to = from + BigInt(perf.meta.spanNs);
    const ours = waitsByLock(trace, from, to);
    const busy = [...waitsByLock(perf, from, to)].filter(([, { waits }]) => waits.length >= 100);
    expect(busy.length).toBeGreaterThan(0);
    for (const [lock, { waits: theirs }] of busy) {
      const { waits: own, walks } = ours.get(lock) ?? { waits: [], walks: [] };
      // One wait at either end may be in one window only.
      expect(Math.abs(own.length - theirs.length), "waits").toBeLessThan(2 + theirs.length / 100);
      // Both stamp the same event one after the other, ours first. So our waits are longer by what
      // we do at the begin beyond the walk and beyond what we do at the end: 0.2 to 3.4 µs, by the
      // machine. Were the walk (4.4 µs and more) not taken off, they would be longer by more than
      // the walk. A virtual CPU that is taken away between the two stamps adds milliseconds to one
      // wait: hence medians, not means.
      const excessNs = median(own) - median(theirs);
      const limitNs = stacks ? median(walks) : 10_000;
      expect(excessNs, `ns a wait for ${lock}`).toBeLessThan(limitNs);
      expect(excessNs, `ns a wait for ${lock}`).toBeGreaterThan(-limitNs / 2);
    }
  },
);

test("a recorder killed by SIGKILL leaves an instance that the next start removes", async (context) => {
  const missing = needs("root");
  if (missing) return context.skip(missing);
  const recorder = fileURLToPath(new URL("../../dist/host/tracefs/recorder.js", import.meta.url));
  const program = `
    const { openRecorder, RECORDER_DEFAULTS } = await import(${JSON.stringify(recorder)});
    openRecorder(RECORDER_DEFAULTS).start();
    process.stdout.write("recording");`;
  const child = spawn(process.execPath, ["--input-type=module", "-e", program]);
  await new Promise((resolve) => child.stdout.once("data", resolve));
  const first = createInstance();
  const orphanName = readdirSync(join(first.path, "..")).find((name) =>
    name.startsWith(`bootstorm-${child.pid}-`),
  );
  const orphan = join(first.path, "..", orphanName ?? "none");
  const mounts = () =>
    readFileSync("/proc/self/mounts", "utf8").match(/\/run\/bootstorm\/\S+/g) ?? [];
  const orphanMount = mounts().find((path) => path.includes(`bootstorm-${child.pid}-`));
  expect(existsSync(orphan), "a live recorder is left alone").toBe(true);
  first.remove();

  child.kill("SIGKILL");
  await new Promise((resolve) => child.once("close", resolve));
  const second = createInstance();
  expect(existsSync(join(second.path, "..", orphanName!))).toBe(false);
  second.remove();
  expect(mounts()).not.toContain(orphanMount);
});

function run(command: string, args: readonly string[]): string {
  const { stdout, stderr, status } = spawnSync(command, args, {
    encoding: "utf8",
    maxBuffer: 1 << 30,
  });
  expect(status, stderr).toBe(0);
  return stdout || stderr;
}

function readAllPages(path: string): Uint8Array {
  const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  const pages: Buffer[] = [];
  try {
    for (;;) {
      const page = Buffer.alloc(4096);
      if (readSync(fd, page) < 4096) break;
      pages.push(page);
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EAGAIN") throw error; // EAGAIN: it is empty
  } finally {
    closeSync(fd);
  }
  return new Uint8Array(Buffer.concat(pages));
}

// "            node-14950   [001] d..2.  1586.785979: contention_begin: ffffffff83b53c30 (flags=SPIN)"
function parseKernelText(text: string) {
  const line =
    /^.{16}-(\d+)\s+\[(\d+)\] \S+\s+(\d+)\.(\d{6}): contention_(begin|end): (?:0x)?([0-9a-f]+)/gm;
  return [...text.matchAll(line)].map(([, tid, cpu, seconds, micros, kind, lock]) => ({
    cpu: Number(cpu),
    tid: Number(tid),
    us: Number(seconds) * 1_000_000 + Number(micros),
    kind,
    lock: BigInt(`0x${lock}`),
  }));
}

// " contended   total wait     max wait     avg wait          pid   comm"
// "       182      5.26 ms      1.57 ms     28.92 us        22440   chromium"
function parsePerfByThread(text: string) {
  const units: Record<string, number> = { ns: 1, us: 1e3, ms: 1e6, s: 1e9 };
  const line = /^\s*(\d+)\s+([\d.]+) (ns|us|ms|s)\s+[\d.]+ \w+\s+[\d.]+ \w+\s+(\d+)\s/gm;
  return new Map(
    [...text.matchAll(line)].map(([, waits, total, unit, tid]) => [
      Number(tid),
      {
        waits: Number(waits),
        waitNs: Number(total) * units[unit!]!,
        roundingNs: units[unit!]! * 0.0051 + 1,
      },
    ]),
  );
}

/** For each lock its waits without the recorder's part, in ns. */
interface WaitsOfLock {
  /** Without the time that the recorder took for walking the stack. Unit: ns. */
  waits: number[];
  /** That time, of each wait. Unit: ns. */
  walks: number[];
}

function waitsByLock(trace: Trace, from: bigint, to: bigint): Map<bigint, WaitsOfLock> {
  const { lockWait } = trace.tables;
  const byLock = new Map<bigint, WaitsOfLock>();
  for (let i = 0; i < lockWait.length; i += 1) {
    const at = trace.meta.origin.ns + BigInt(lockWait.t[i]!);
    if (at < from || at > to) continue;
    const lock = trace.locks.addresses[lockWait.lock[i]!]!;
    const ofLock = byLock.get(lock) ?? { waits: [], walks: [] };
    byLock.set(lock, ofLock);
    ofLock.waits.push(lockWait.waitNs[i]! - lockWait.observerNs[i]!);
    ofLock.walks.push(lockWait.observerNs[i]!);
  }
  return byLock;
}

function median(values: readonly number[]): number {
  return quantileSorted(Float64Array.from(values).sort(), 0.5);
}
