// Comparisons in which kernels fail, with real VMs: the host's kernel and a first process that does as
// it is told (test/fixtures/fake-load-init.sh). What it measures was never measured.
import { mkdirSync, mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { type Arm, armWords, findArms } from "../../src/app/cli/kernel-ab/arms.ts";
import { type MeasuringMachine, prepareMachine } from "../../src/app/cli/kernel-ab/machine.ts";
import { type ComparisonAsk, runComparison } from "../../src/app/cli/kernel-ab/run.ts";
import {
  type ReadKernelRun,
  RUN_FILE,
  readKernelRun,
  runFileText,
} from "../../src/app/cli/kernel-ab/run-file.ts";
import { kernelRun } from "../../src/app/cli/kernel-ab/words.ts";
import type { Session } from "../../src/app/cli/run.ts";
import { kernelAbResult } from "../../src/core/analyze/kernel-ab/kernel-ab-result.ts";
import type { KernelBoot } from "../../src/core/event/kernel-run.ts";
import { findKernel } from "../../src/host/guest/kernel-image.ts";
import { type Cache, openCache } from "../../src/host/store/cache.ts";
import { createRunFolder } from "../../src/host/store/run-folder.ts";
import { vmNeeds } from "../fixtures/vms.ts";
import { processesOf } from "../live/storm-processes.ts";

const INIT = fileURLToPath(new URL("../fixtures/fake-load-init.sh", import.meta.url));

/** Small, so that a boot is short. */
const ASK: ComparisonAsk = {
  ...{ loads: ["toggle"], threads: [1], vcpus: [1] },
  ...{ repetitions: 2, precision: 0.15, budgetMs: 600_000 },
};

describe("with QEMU", () => {
  let images: string;
  let cache: Cache;
  let kernel: string;
  beforeAll(async () => {
    if (vmNeeds() !== undefined) return;
    images = mkdtempSync(join(tmpdir(), "bootstorm-test-"));
    cache = openCache(images);
    const { signal } = new AbortController();
    kernel = (await findKernel(undefined, { as: "pvh", cache, signal })).source;
  });
  afterAll(() => {
    if (images !== undefined) rmSync(images, { recursive: true });
  });

  let folder: string;
  let notes: string[];
  let runtime: string | undefined;
  beforeEach((ctx) => {
    const missing = vmNeeds();
    if (missing) ctx.skip(missing);
    folder = mkdtempSync(join(tmpdir(), "bootstorm-test-"));
    notes = [];
    runtime = process.env.XDG_RUNTIME_DIR;
    process.env.XDG_RUNTIME_DIR = join(folder, "runtime");
    mkdirSync(process.env.XDG_RUNTIME_DIR, { mode: 0o700 });
  });
  afterEach(() => {
    if (folder === undefined) return;
    if (runtime === undefined) delete process.env.XDG_RUNTIME_DIR;
    else process.env.XDG_RUNTIME_DIR = runtime;
    // Whatever happened, no VM is left and no register of one.
    expect(processesOf(process.pid)).toEqual([]);
    expect(readdirSync(join(folder, "runtime/bootstorm"))).toEqual([]);
    rmSync(folder, { recursive: true });
  });

  const session = (signal = new AbortController().signal): Session => ({
    signal,
    progress: {
      step: () => undefined,
      note: (text) => void notes.push(text),
      clear: () => undefined,
    },
  });

  interface Change {
    readonly ask?: Partial<ComparisonAsk>;
    readonly session?: Session;
    changeMachine?(machine: MeasuringMachine): MeasuringMachine;
    onBoot?(boot: KernelBoot): void;
  }

  /** The host's kernel, once for each list of words; the first without any is the base. */
  async function compare(faults: readonly string[], change: Change = {}): Promise<ReadKernelRun> {
    const own = change.session ?? session();
    const named = faults.map((fault) => armWords(fault === "" ? kernel : `${kernel},${fault}`)[0]!);
    const asked = { arms: named, purposes: ["time"], designs: undefined, build: false } as const;
    const arms: readonly Arm[] = await findArms({ ...asked, cache }, own);
    const machineAsk = { arms, accelerator: "tcg", spinlock: "test-and-set", cache } as const;
    const found = await prepareMachine({ ...machineAsk, init: INIT }, own);
    const machine = change.changeMachine?.(found) ?? found;
    const ask = { ...ASK, ...change.ask };
    const flags = {
      ...{ loads: ask.loads, precision: 0.15, minutes: 1, count: false, debug: false },
      ...({ spinlock: "test-and-set", accelerator: "tcg", seed: 1, vcpus: ask.vcpus } as const),
    };
    const run = kernelRun(arms, machine, flags);
    const to = await createRunFolder(join(folder, "run"));
    await to.write(RUN_FILE, runFileText(run, { input: {}, obtained: [], reproduce: [] }));
    const { onBoot } = change;
    const course = { run, arms, machine, ask, folder: to };
    await runComparison(own, onBoot === undefined ? course : { ...course, onBoot }).catch(
      (error) => {
        if (!own.signal.aborted) throw error;
      },
    );
    return readKernelRun(join(folder, "run"));
  }

  /** `0 time 1 0 warm-up done`: arm, purpose, vCPUs, repetition, role, outcome. */
  const told = ({ boots }: ReadKernelRun) =>
    boots.map(({ arm, vcpus, repetition, role, outcome }) =>
      [arm, vcpus, role === "warm-up" ? "w" : repetition, outcome].join(" "),
    );

  test("turn and back; every boot is on disk with its orders answered and its console", async () => {
    const read = await compare(["", "x"], { ask: { vcpus: [1, 2], threads: [1, 2] } });
    const order = ["0 1", "1 1", "0 2", "1 2"];
    const back = ["1 1", "0 1", "1 2", "0 2"];
    expect(told(read)).toEqual([
      ...order.map((turn) => `${turn} w done`),
      ...order.map((turn) => `${turn} 0 done`),
      ...back.map((turn) => `${turn} 1 done`),
    ]);
    expect(read.rejects).toEqual([]);
    for (const { vcpus, measurements, release, startedMs, elapsedMs } of read.boots) {
      expect(measurements.map(({ order }) => order.threads)).toEqual(vcpus === 1 ? [1] : [1, 2]);
      expect(measurements.every((each) => "result" in each)).toBe(true);
      expect(release).toBe("0-fake");
      expect(startedMs).toBeGreaterThanOrEqual(0);
      expect(elapsedMs).toBeGreaterThan(0);
    }
    const starts = read.boots.map(({ startedMs }) => startedMs);
    expect(starts).toEqual(starts.toSorted((a, b) => a - b));
    expect(readdirSync(join(folder, "run/consoles")).length).toBe(12);
    const result = kernelAbResult(read.run, read.boots);
    // The same image, told apart by a word: what it measured is equal, so nothing differs.
    expect(result.comparisons.map(({ speedUp }) => speedUp.value)).toEqual([1, 1, 1]);
    expect(notes).toEqual([]);
  });

  test.each([
    ["panics at once", "fault=panic-at-once", "panic", /^Kernel panic - not syncing/, 0],
    ["panics in the middle", "fault=panic", "panic", /^Kernel panic - not syncing/, 1],
    ["leaves", "fault=leaves", "ended", /ended by itself/, 0],
    ["ends in the middle of a line", "fault=half-a-line", "ended", /ended by itself/, 0],
    ["floods its console", "fault=flood", "hung", /more than \d+ bytes to its console/, 0],
  ] as const)(
    "one that %s: told, given up; the base is measured",
    async (_, fault, outcome, why, answered) => {
      const ask = { loads: ["toggle", "split"], repetitions: 1 } as const;
      const read = await compare(["", fault], { ask });
      expect(told(read)).toEqual(["0 1 w done", `1 1 w ${outcome}`, "0 1 0 done"]);
      const failed = read.boots[1]!;
      expect(failed.why).toMatch(why);
      expect(failed.consoleTail!.length).toBeGreaterThan(0);
      expect(failed.measurements.filter((each) => "result" in each).length).toBe(answered);
      expect(notes).toEqual([
        expect.stringContaining(`${fault} with 1 vCPU: ${outcome}: `),
        expect.stringMatching(/ is given up$/),
      ]);
      const { arms, failures } = kernelAbResult(read.run, read.boots);
      expect(arms.map(({ bootsDone }) => bootsDone)).toEqual([1, 0]);
      expect(failures[0]).toMatchObject({ arm: 1, outcome });
      for (const name of readdirSync(join(folder, "run/consoles"))) {
        expect(statSync(join(folder, "run/consoles", name)).size).toBeLessThanOrEqual(4 << 20);
      }
    },
  );

  test("the base fails: the others are measured all the same", async () => {
    const read = await compare(["fault=panic", "", "x"]);
    expect(told(read)).toEqual([
      ...["0 1 w panic", "1 1 w done", "2 1 w done"],
      ...["1 1 0 done", "2 1 0 done", "2 1 1 done", "1 1 1 done"],
    ]);
  });

  test("out of memory in everything: told, given up; the base is measured", async () => {
    const read = await compare(["", "fault=no-memory"], { ask: { repetitions: 1 } });
    expect(told(read)).toEqual(["0 1 w done", "1 1 w done", "0 1 0 done"]);
    expect(read.boots[1]!.measurements).toMatchObject([{ failed: expect.any(String) }]);
    expect(notes).toEqual([expect.stringMatching(/ is given up$/)]);
  });

  test("out of memory in one load, twice: it is not asked again; the other load goes on", async () => {
    const ask = { loads: ["toggle", "split"] } as const;
    const read = await compare(["", "fault=no-split"], { ask });
    const loads = read.boots
      .filter(({ arm }) => arm === 1)
      .map(({ measurements }) =>
        measurements.map((each) => `${each.order.load}${"failed" in each ? " failed" : ""}`),
      );
    expect(loads).toEqual([["toggle", "split failed"], ["toggle", "split failed"], ["toggle"]]);
    expect(notes).toEqual([expect.stringContaining("1 vCPU cannot do split with 1 thread, and")]);
  });

  test("QEMU itself refuses: every kernel is given up, and nothing is tried again and again", async () => {
    const changeMachine = (machine: MeasuringMachine) => ({ ...machine, cpu: "no-such-cpu" });
    const read = await compare(["", "x"], { changeMachine });
    expect(told(read)).toEqual(["0 1 w vmm-failed", "1 1 w vmm-failed"]);
    expect(read.boots[0]!.why).toContain("no-such-cpu");
  });

  test("interrupted in the middle of a boot: what was whole is kept, that boot is not", async () => {
    const controller = new AbortController();
    const onBoot = ({ role }: KernelBoot) => role === "measured" && controller.abort();
    const read = await compare(["", "x"], { session: session(controller.signal), onBoot });
    expect(told(read)).toEqual(["0 1 w done", "1 1 w done", "0 1 0 done"]);
    expect(read.rejects).toEqual([]);
  });

  test("no time: the first two repetitions are made, and no more", async () => {
    const ask = { repetitions: undefined, budgetMs: 1 };
    const read = await compare(["", "x"], { ask });
    expect(read.boots.filter(({ role }) => role === "measured").length).toBe(4);
  });
});
