import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { BootstormError } from "../error.ts";
import type { RoundLoad } from "./boot.ts";
import { Unreadable } from "./json-fields.ts";
import {
  BOOT_PURPOSES,
  GUEST_LOADS,
  KERNEL_BOOT_OUTCOMES,
  type KernelArm,
  type KernelBoot,
  type KernelRun,
  type LoadResult,
} from "./kernel-run.ts";
import {
  KERNEL_BOOTS_VERSION,
  kernelBootLine,
  kernelBootsHeaderLine,
  kernelRunOf,
  readKernelBoots,
} from "./kernel-run-codec.ts";

const ARMS = 3;
const bytes = (text: string) => new TextEncoder().encode(text);
const read = (...lines: readonly string[]) =>
  readKernelBoots(bytes(kernelBootsHeaderLine() + lines.join("")), ARMS);

// A field that joins the types must join here, and then the reader.
const load: Required<RoundLoad> = {
  cpuBusyShare: 0.9,
  otherCpuNs: 1,
  cpuPressureShare: 0.1,
  memAvailableBytesLow: 2,
};
const result: Required<LoadResult> = {
  spinlock: "queued",
  debugPagealloc: true,
  ops: 4,
  opsAsked: 5,
  opsFailed: 1,
  splits: 2,
  elapsedNs: 12,
  latencyNs: { mean: 3, p50: 2, p90: 4, p99: 5, max: 6 },
  attributeChanges: 1,
  wrongEntries: 2,
  wrongAccesses: 3,
};
const order = { load: "mixed", threads: 2, ops: 5, warmUp: 0, limitMs: 9 } as const;
const lock = {
  name: "pgd_lock",
  acquired: 3,
  contended: 2,
  waitNsTotal: 9,
  waitNsMax: 8,
  holdNsTotal: 7,
  waiters: [{ fn: "__change_page_attr_set_clr", contended: 2 }],
};
const boot: Required<KernelBoot> = {
  arm: 2,
  purpose: "count",
  vcpus: 4,
  repetition: 1,
  role: "measured",
  startedMs: 10.5,
  elapsedMs: 20.25,
  outcome: "hung",
  why: "nothing for 20 s",
  consoleTail: ["[    0.0] random: crng init done"],
  release: "6.12.117-stock",
  measurements: [
    { order, result, locks: [lock] },
    { order, failed: "write error: Cannot allocate memory" },
  ],
  complaints: ["BUG: x"],
  load,
};
const arm: Required<KernelArm> = {
  name: "stock,debug_pagealloc=on",
  words: ["debug_pagealloc=on"],
  images: { time: { path: "/k/vmlinux", sha256: "0a".repeat(32) } },
  lacks: { count: "no image of that name" },
  design: { name: "linux-4.20", start: "4k" },
};
const run: Required<KernelRun> = {
  arms: [arm, { name: "b", words: [], images: {}, lacks: {} }],
  vcpus: [2, 4],
  seed: 7,
  accelerator: "tcg",
  cpuModel: "max",
  qemu: "7.2.22",
  hostCpus: 2,
  hostCpuModel: "a CPU",
  hostKernel: "6.18.5",
  at: "2026-11-22T21:00Z",
};

describe("what is written is read again", () => {
  test("a boot with every field", () => {
    expect(read(kernelBootLine(boot))).toEqual({ boots: [boot], rejects: [] });
  });

  test("a run with every field, by way of JSON", () => {
    expect(kernelRunOf(JSON.parse(JSON.stringify({ ...run, more: 1 })))).toEqual(run);
  });

  test("any boot", () => {
    const count = fc.nat(Number.MAX_SAFE_INTEGER);
    const some = fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER });
    const amount = fc.double({ min: 0, max: 1e15, noNaN: true }).map((x) => x + 0);
    const text = fc.string({ unit: "binary", maxLength: 50 });
    const orders = fc.record({
      load: fc.constantFrom(...GUEST_LOADS),
      threads: some,
      ops: some,
      warmUp: count,
      limitMs: some,
    });
    const results = fc.record(
      {
        spinlock: fc.constantFrom("test-and-set", "queued"),
        debugPagealloc: fc.boolean(),
        ops: some,
        opsAsked: some,
        opsFailed: count,
        splits: count,
        elapsedNs: some,
        latencyNs: fc.record({ mean: amount, p50: amount, p90: amount, p99: amount, max: amount }),
        attributeChanges: count,
        wrongEntries: count,
        wrongAccesses: count,
      },
      {
        requiredKeys: [
          "spinlock",
          "debugPagealloc",
          "ops",
          "opsAsked",
          "opsFailed",
          "splits",
          "elapsedNs",
          "latencyNs",
        ],
      },
    );
    const locks = fc.record({
      name: text,
      acquired: count,
      contended: count,
      waitNsTotal: amount,
      waitNsMax: amount,
      holdNsTotal: amount,
      waiters: fc.array(fc.record({ fn: text, contended: count }), { maxLength: 3 }),
    });
    const measurements = fc.oneof(
      fc.record(
        { order: orders, result: results, locks: fc.array(locks, { maxLength: 2 }) },
        { requiredKeys: ["order", "result"] },
      ),
      fc.record({ order: orders, failed: text }),
    );
    const boots = fc.record(
      {
        arm: fc.nat(ARMS - 1),
        purpose: fc.constantFrom(...BOOT_PURPOSES),
        vcpus: some,
        repetition: count,
        role: fc.constantFrom("warm-up", "measured"),
        startedMs: amount,
        elapsedMs: amount,
        outcome: fc.constantFrom(...KERNEL_BOOT_OUTCOMES),
        why: text,
        consoleTail: fc.array(text, { maxLength: 3 }),
        release: text,
        measurements: fc.array(measurements, { maxLength: 3 }),
        complaints: fc.array(text, { maxLength: 3 }),
        load: fc.constant(load),
      },
      {
        requiredKeys: [
          "arm",
          "purpose",
          "vcpus",
          "repetition",
          "role",
          "startedMs",
          "elapsedMs",
          "outcome",
          "measurements",
          "complaints",
          "load",
        ],
      },
    );
    fc.assert(
      fc.property(boots, (each) => {
        expect(read(kernelBootLine(each as KernelBoot))).toEqual({ boots: [each], rejects: [] });
      }),
    );
  });

  test("a reason and a console tail that are too long are cut, the tail's beginning first", () => {
    const consoleTail = Array.from({ length: 150 }, (_, i) => `${i} ${"y".repeat(2_000)}`);
    const { boots } = read(kernelBootLine({ ...boot, why: "x".repeat(5_000), consoleTail }));
    expect(boots[0]!.why).toHaveLength(2_000);
    expect(boots[0]!.consoleTail![0]).toMatch(/^50 y{997}$/);
  });

  test("a boot that could not be read back is a bug of who writes it", () => {
    expect(() => kernelBootLine({ ...boot, vcpus: 0 })).toThrow(/^bug: .*vcpus/);
  });
});

describe("a line that is no boot is counted by reason and does no harm", () => {
  const good = kernelBootLine(boot);
  // The value at this path is another one, or gone.
  const withValue = (path: string, value?: unknown) => {
    const whole = JSON.parse(good);
    const keys = path.split(".");
    const last = keys.pop()!;
    keys.reduce((at, key) => at[key], whole)[last] = value;
    return `${JSON.stringify(whole)}\n`;
  };
  test.each([
    ["arm", 3, "arm: the run has no such one"],
    ["arm", -1, "arm: out of range"],
    ["purpose", "fun", "purpose: not a word we know"],
    ["vcpus", 0, "vcpus: none"],
    ["vcpus", 1.5, "vcpus: not a whole number"],
    ["elapsedMs", null, "elapsedMs: not a number"],
    ["outcome", "fine", "outcome: not a word we know"],
    ["why", 1, "why: not a text"],
    ["release", "x".repeat(300), "release: too long"],
    ["measurements", undefined, "measurements: not a list"],
    ["measurements", Array(300).fill({}), "measurements: too many"],
    ["measurements.0.order", undefined, "order: not an object"],
    ["measurements.0.order.threads", 0, "threads: none"],
    ["measurements.0.result", undefined, "result: not an object"],
    ["measurements.0.result.elapsedNs", 0, "elapsedNs: none"],
    ["measurements.0.result.debugPagealloc", 1, "debugPagealloc: neither true nor false"],
    ["measurements.0.result.latencyNs.p99", "9", "p99: not a number"],
    ["measurements.0.locks.0.waiters", 1, "waiters: not a list"],
    ["measurements.1.failed", {}, "failed: not a text"],
    ["complaints", Array(101).fill(""), "complaints: too many"],
    ["load", [], "load: not an object"],
  ])("%s: %j", (path, value, why) => {
    const line = withValue(path, value);
    expect(read(good, line, line, good)).toEqual({
      boots: [boot, boot],
      rejects: [{ why, count: 2 }],
    });
  });

  test("what a killed run left of its last line", () => {
    expect(read(good, good.slice(0, 99))).toEqual({
      boots: [boot],
      rejects: [{ why: "the line is not JSON", count: 1 }],
    });
  });

  test("no bytes at all make it throw but by its own errors", () => {
    const lines = fc.array(fc.oneof(fc.json(), fc.string(), fc.constant(good)), { maxLength: 5 });
    const begun = lines.map((some) => bytes(kernelBootsHeaderLine() + some.join("\n")));
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array({ maxLength: 300 }), begun), (input) => {
        try {
          readKernelBoots(input, ARMS);
        } catch (error) {
          expect(error).toBeInstanceOf(BootstormError);
        }
      }),
    );
  });
});

describe("files and runs that are refused", () => {
  test.each([
    ["empty", ""],
    ["a boot first", kernelBootLine(boot)],
    ["another format", '{"format":"bootstorm rounds","version":1}\n'],
    ["version 0", '{"format":"bootstorm kernel boots","version":0}\n'],
  ])("%s", (_, text) => {
    expect(() => readKernelBoots(bytes(text), ARMS)).toThrow(
      expect.objectContaining({ code: "BAD_KERNEL_BOOTS", exit: 4 }),
    );
  });

  test("one of a later version, with both numbers", () => {
    const later = `{"format":"bootstorm kernel boots","version":${KERNEL_BOOTS_VERSION + 1}}\n`;
    expect(() => readKernelBoots(bytes(later), ARMS)).toThrow(
      expect.objectContaining({
        code: "NEWER_KERNEL_BOOTS",
        why: `they have version ${KERNEL_BOOTS_VERSION + 1}, this bootstorm reads up to version ${KERNEL_BOOTS_VERSION}`,
      }),
    );
  });

  test.each([
    [{ arms: [] }, "arms: none"],
    [{ arms: [arm, arm] }, "arms: two of the same name"],
    [
      { arms: [{ ...arm, images: { time: { path: "/k", sha256: "xyz" } } }] },
      "sha256: not 64 hex digits",
    ],
    [{ arms: [{ ...arm, design: { name: "x", start: "1g" } }] }, "start: not a word we know"],
    [{ vcpus: [] }, "vcpus: none"],
    [{ vcpus: [2, 0] }, "vcpus: none"],
    [{ accelerator: "snp" }, "accelerator: not a word we know"],
    [{ hostCpus: undefined }, "hostCpus: not a number"],
    [{ at: 5 }, "at: not a text"],
  ])("a run with %j", (change, why) => {
    expect(() => kernelRunOf({ ...run, ...change })).toThrow(new Unreadable(why));
  });

  test("no value at all makes it throw but by its own error", () => {
    fc.assert(
      fc.property(fc.anything(), (value) => {
        expect(() => kernelRunOf(value)).toThrow(Unreadable);
      }),
    );
  });
});
