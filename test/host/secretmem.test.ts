// The pressure load against the kernel of this machine: it measures, and nothing of it stays.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { text } from "node:stream/consumers";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { BootstormError } from "../../src/core/error.ts";
import { cpusForPressure } from "../../src/host/secretmem/cpus.ts";
import { type Crew, startCrew } from "../../src/host/secretmem/crew.ts";
import { measurePressure } from "../../src/host/secretmem/measure.ts";
import { measureSweep } from "../../src/host/secretmem/sweep.ts";
import { needs } from "../needs.ts";

const LIMIT_MS = 60_000;
const SECRET = { kind: "secret", processes: 2, pages: 128 } as const;
const ENDLESS = { kind: "secret", processes: 2, pages: 1024 } as const;

let crew: Crew | undefined;
let child: ChildProcess | undefined;

beforeEach((ctx) => {
  const missing = needs("memfd_secret");
  if (missing) ctx.skip(missing);
});

afterEach(async () => {
  await crew?.close();
  child?.kill("SIGKILL");
  crew = child = undefined;
});

async function twoWorkers(options: { signal?: AbortSignal; answerLimitMs?: number } = {}) {
  crew = await startCrew({
    processes: 2,
    pages: ENDLESS.pages,
    answerLimitMs: LIMIT_MS,
    signal: new AbortController().signal,
    ...options,
  });
  return crew;
}

describe("rounds", () => {
  test("each process fills, then frees, between our two looks at the same clock", async () => {
    const { round, pids } = await twoWorkers();
    for (const kind of ["secret", "plain"] as const) {
      const before = process.hrtime.bigint();
      const { workers, ...ask } = await round({ ...SECRET, kind });
      const after = process.hrtime.bigint();
      expect(ask).toEqual({ ...SECRET, kind });
      expect(workers.map(({ pid }) => pid)).toEqual(pids);
      for (const { cpu, fill, free } of workers) {
        expect(cpusForPressure()).toContain(cpu);
        const times = [before, fill.startNs, fill.endNs, free.startNs, free.endNs, after];
        expect(times).toEqual(ascending(times));
      }
      const lastFill = ascending(workers.map(({ fill }) => fill.endNs)).at(-1)!;
      const firstFree = ascending(workers.map(({ free }) => free.startNs))[0]!;
      expect(firstFree, "nobody frees before all have filled").toBeGreaterThan(lastFill);
    }
  });

  test("a round may take fewer processes than the crew has", async () => {
    const { round, pids } = await twoWorkers();
    const { workers } = await round({ ...SECRET, processes: 1 });
    expect(workers.map(({ pid }) => pid)).toEqual(pids.slice(0, 1));
  });

  test("a whole measurement: warm-ups, rounds in blocks, recorded rounds apart", async () => {
    const steps: string[] = [];
    const measured = await measurePressure({
      processCounts: [1, 2],
      rounds: 2,
      warmups: 1,
      pagesPerProcess: 128,
      memoryShare: 0.01,
      seed: 11,
      answerLimitMs: LIMIT_MS,
      signal: new AbortController().signal,
      onProgress: (done, total) => steps.push(`${done}/${total}`),
      recordings: [
        {
          rounds: 1,
          async around(work) {
            steps.push("recorder on");
            await work();
            steps.push("recorder off");
          },
        },
      ],
    });
    expect(steps).toEqual([
      ...Array.from({ length: 12 }, (_, i) => `${i + 1}/16`),
      "recorder on",
      ...Array.from({ length: 4 }, (_, i) => `${i + 13}/16`),
      "recorder off",
    ]);
    // A busy machine may reject rounds, but then it says so.
    const missing = 8 - measured.rounds.length + 4 - measured.recorded[0]!.length;
    expect(measured.rejects[0]!.count).toBeGreaterThanOrEqual(missing);
    expect(measured.budget).toEqual({ pages: 128, boundBy: "asked" });
    expect(Object.keys(measured.directMap.after)).toEqual(Object.keys(measured.directMap.before));
  });
});

describe("pages in several files", () => {
  const SPLIT = { ...SECRET, split: { files: 16, delayNs: 400 } } as const;

  test("after each file freed, each process is busy: at least as long as asked, and as long as it says", async () => {
    const { round } = await twoWorkers();
    const SLOW = { ...SECRET, split: { files: 4, delayNs: 500_000 } } as const;
    const unaccounted: number[] = [];
    // The fastest of a few rounds: on a busy machine any of them may lose its CPU.
    for (let i = 0; i < 5; i += 1) {
      const { workers } = await round(SLOW);
      for (const { free, delayNs } of workers) {
        expect(delayNs).toBeGreaterThanOrEqual(500_000);
        const ns = Number(free.endNs - free.startNs);
        expect(ns).toBeGreaterThan(4 * delayNs!);
        unaccounted.push(ns - 4 * delayNs!);
      }
    }
    // What remains is the freeing of 128 pages, not another wait.
    expect(Math.min(...unaccounted)).toBeLessThan(2 * 500_000);
  });

  test("without a delay nobody waits, and it is said to be 0", async () => {
    const { round } = await twoWorkers();
    const { workers } = await round({ ...SPLIT, split: { files: 16, delayNs: 0 } });
    expect(workers.map(({ delayNs }) => delayNs)).toEqual([0, 0]);
  });

  test("short delays are at least as long as asked, and short", async () => {
    const { round } = await twoWorkers();
    for (const askedNs of [100, 400]) {
      const delaysNs: number[] = [];
      for (let i = 0; i < 5; i += 1) {
        const { workers } = await round({ ...SPLIT, split: { files: 16, delayNs: askedNs } });
        delaysNs.push(...workers.map(({ delayNs }) => delayNs!));
      }
      expect(Math.min(...delaysNs)).toBeGreaterThanOrEqual(askedNs);
      // A look at a slow clock takes a microsecond.
      expect(Math.min(...delaysNs)).toBeLessThan(askedNs + 5000);
    }
  });

  test("every file is gone after its round: nothing mapped, nothing locked", async () => {
    const { round, pids } = await twoWorkers();
    await round(SPLIT);
    for (const pid of pids) {
      expect(readFileSync(`/proc/${pid}/maps`, "utf8")).not.toContain("secretmem");
      expect(readFileSync(`/proc/${pid}/status`, "utf8")).toMatch(/^VmLck:\s+0 kB$/m);
    }
  });

  test("a sweep has every point and its controls; recorded is the tightest alone", async () => {
    const { rounds, recorded } = await measureSweep({
      processCounts: [1, 2],
      pagesPerFile: [8, 64],
      delaysNs: [0, 1000],
      rounds: 3,
      warmups: 0,
      seed: 3,
      pagesPerProcess: 128,
      memoryShare: 0.01,
      answerLimitMs: LIMIT_MS,
      signal: new AbortController().signal,
      recordings: [{ rounds: 1, around: (work) => work() }],
    });
    const asks = rounds.map(({ kind, processes, split }) =>
      [kind, processes, split?.files, split?.delayNs].join(" "),
    );
    // 2 × 2 × 2 points, the control at 1 and 2 processes, and secret pages in one file.
    expect(new Set(asks).size).toBe(11);
    expect(rounds.length).toBeLessThanOrEqual(3 * (8 + 4 * 2 + 1));
    expect(rounds.every(({ pages }) => pages === 128)).toBe(true);
    for (const { processes, pages, split } of recorded[0]!) {
      expect([processes, pages / split!.files, split!.delayNs]).toEqual([2, 64, 0]);
    }
  });
});

describe("nothing stays", () => {
  test("close ends all processes, waits for it, and may be called again", async () => {
    const { close, round, pids } = await twoWorkers();
    await round(SECRET);
    expect(pids.map(isAlive)).toEqual([true, true]);
    await close();
    expect(pids.map(isAlive)).toEqual([false, false]);
    await close();
  });

  test("an interrupted round ends with the reason it was interrupted for", async () => {
    const controller = new AbortController();
    const { round, pids } = await twoWorkers({ signal: controller.signal });
    const running = round(ENDLESS);
    controller.abort(new Error("Ctrl-C"));
    await expect(running).rejects.toThrow("Ctrl-C");
    expect(pids.map(isAlive)).toEqual([false, false]);
  });

  test("an interrupted start leaves no process either", async () => {
    const controller = new AbortController();
    const starting = twoWorkers({ signal: controller.signal });
    controller.abort(new Error("Ctrl-C"));
    await expect(starting).rejects.toThrow("Ctrl-C");
  });

  test.each(["SIGKILL", "SIGTERM"] as const)(
    "the parent gets %s: the workers end too",
    async (signal) => {
      const parent = runScript(`
      const crew = await startCrew(options(1024));
      console.log(crew.pids.join(" "));
      for (;;) await crew.round({ kind: "secret", processes: 2, pages: 1024 });
    `);
      child = parent;
      const [line] = (await once(parent.stdout!, "data")) as [Buffer];
      const pids = line.toString().split(" ").map(Number);
      expect(pids.map(isAlive)).toEqual([true, true]);
      parent.kill(signal);
      // The workers hold the parent's standard error: its end is theirs.
      await text(parent.stderr!);
      expect(pids.map(hasMemory)).toEqual([false, false]);
    },
  );
});

describe("a failing worker is an error within its limit, and the crew is gone", () => {
  test("killed in the middle of a round", async () => {
    const { round, pids } = await twoWorkers();
    const running = round(ENDLESS);
    process.kill(pids[1]!, "SIGKILL");
    await expect(running).rejects.toMatchObject({ code: "WORKER_KILLED", exit: 3 });
    expect(pids.map(isAlive)).toEqual([false, false]);
  });

  test("killed between rounds", async () => {
    const { round, pids } = await twoWorkers();
    await round(SECRET);
    process.kill(pids[0]!, "SIGKILL");
    await expect(round(SECRET)).rejects.toMatchObject({ code: "WORKER_KILLED" });
    expect(pids.map(isAlive)).toEqual([false, false]);
  });

  test("ended by SIGBUS, as newer kernels do when the user's lockable memory is used up", async () => {
    const { round, pids } = await twoWorkers();
    const running = round(ENDLESS);
    process.kill(pids[0]!, "SIGBUS");
    await expect(running).rejects.toMatchObject({ code: "MEMLOCK_TOO_LOW", exit: 3 });
    expect(pids.map(isAlive)).toEqual([false, false]);
  });

  test("stopped, so that it never answers", async () => {
    const { round, pids } = await twoWorkers({ answerLimitMs: 2_000 });
    process.kill(pids[0]!, "SIGSTOP");
    await expect(round(SECRET)).rejects.toMatchObject({ code: "WORKER_SILENT" });
    expect(pids.map(isAlive)).toEqual([false, false]);
  });
});

describe("as an ordinary user with 1 MiB of lockable memory", () => {
  beforeEach((ctx) => {
    const missing = needs("root");
    if (missing) ctx.skip(missing);
  });

  test("what fits, fits again and again: every round gives its memory back", async () => {
    const script = `
      const crew = await startCrew(options(128));
      for (let i = 0; i < 5; i += 1) await crew.round({ kind: "secret", processes: 2, pages: 128 });
      await crew.close();
      console.log(JSON.stringify({ memlockBytes: crew.memlockBytes }));
    `;
    expect(await answerOf(runScript(script, NOBODY))).toEqual({ memlockBytes: 1 << 20 });
  });

  test("too many pages: MEMLOCK_TOO_LOW, not a hang and not a crash", async () => {
    const script = `
      const crew = await startCrew(options(512));
      const error = await crew.round({ kind: "secret", processes: 2, pages: 512 }).catch((e) => e);
      console.log(JSON.stringify({ ...error, left: crew.pids.filter(isAlive) }));
    `;
    expect(await answerOf(runScript(script, NOBODY))).toMatchObject({
      name: BootstormError.name,
      code: "MEMLOCK_TOO_LOW",
      why: expect.stringContaining("RLIMIT_MEMLOCK is 1024 KiB"),
      exit: 3,
      left: [],
    });
  });

  test("a measurement keeps within the limit by itself, and says so", async () => {
    const script = `
      const { budget, memlockBytes } = await measurePressure({
        ...options(0), processCounts: [2], rounds: 1, warmups: 0, recordings: [], pagesPerProcess: 512,
        memoryShare: 0.01, seed: 1,
      });
      console.log(JSON.stringify({ budget, memlockBytes }));
    `;
    expect(await answerOf(runScript(script, NOBODY))).toEqual({
      budget: { pages: 128, boundBy: "memlock" },
      memlockBytes: 1 << 20,
    });
  });
});

/** Nobody has no capabilities, and the shell takes lockable memory away before Node starts. */
const NOBODY = { uid: 65534, gid: 65534, memlockKib: 1024 };

/** Runs a module in a Node of its own, with the compiled load at hand. */
function runScript(
  script: string,
  user?: { uid: number; gid: number; memlockKib: number },
): ChildProcess {
  const dist = new URL("../../dist/host/secretmem/", import.meta.url).href;
  const module = `
    import { startCrew } from "${dist}crew.js";
    import { measurePressure } from "${dist}measure.js";
    const signal = new AbortController().signal;
    const options = (pages) => ({ processes: 2, pages, answerLimitMs: ${LIMIT_MS}, signal });
    const isAlive = (pid) => { try { return process.kill(pid, 0); } catch { return false; } };
    ${script}
  `;
  const node = [process.execPath, "--input-type=module", "-e", module];
  const [command = "", ...args] =
    user === undefined
      ? node
      : ["sh", "-c", `ulimit -l ${user.memlockKib}; exec "$@"`, "sh", ...node];
  return spawn(command, args, {
    cwd: "/",
    stdio: ["ignore", "pipe", "pipe"],
    ...(user && { uid: user.uid, gid: user.gid }),
  });
}

async function answerOf(running: ChildProcess): Promise<unknown> {
  child = running;
  const [out, err] = await Promise.all([text(running.stdout!), text(running.stderr!)]);
  expect(err).toBe("");
  return JSON.parse(out);
}

function isAlive(pid: number): boolean {
  return existsSync(`/proc/${pid}`);
}

/** A process that has ended but is not yet collected by its new parent has no memory any more. */
function hasMemory(pid: number): boolean {
  try {
    return !readFileSync(`/proc/${pid}/statm`, "utf8").startsWith("0 ");
  } catch {
    return false;
  }
}

function ascending(times: readonly bigint[]): bigint[] {
  return [...times].sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
}
