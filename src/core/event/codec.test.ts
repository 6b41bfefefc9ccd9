import fc from "fast-check";
import { expect, test } from "vitest";
import { anyTrace, traceOf } from "../../../test/fixtures/trace.ts";
import { BootstormError } from "../error.ts";
import { isTrace, readTrace, writeTrace } from "./codec.ts";

const sample = traceOf([
  { t: 5, waitNs: 10, stack: ["_raw_spin_lock", "pgd_alloc"] },
  { t: 9, waitNs: 100, process: 0 },
]);

test("a trace that is written and read is the same trace", () => {
  fc.assert(
    fc.property(anyTrace, (trace) => {
      expect(readTrace(writeTrace(trace))).toEqual(trace);
    }),
  );
});

test("an origin after 400 days of uptime keeps every nanosecond", () => {
  const ns = 400n * 86_400n * 1_000_000_000n + 7n;
  expect(BigInt(Number(ns))).not.toBe(ns);
  const trace = { ...sample, meta: { ...sample.meta, origin: { clock: "mono", ns } } };
  expect(readTrace(writeTrace(trace)).meta.origin.ns).toBe(ns);
});

test("reads a trace that does not begin at an aligned byte", () => {
  const file = writeTrace(sample);
  const shifted = new Uint8Array(file.length + 1);
  shifted.set(file, 1);
  expect(readTrace(shifted.subarray(1))).toEqual(sample);
});

test("a file of a later version is refused with both versions", () => {
  const file = writeTrace(sample);
  new DataView(file.buffer).setUint32(8, 7, true);
  expect(() => readTrace(file)).toThrow(
    expect.objectContaining({ code: "NEWER_TRACE", why: expect.stringMatching(/7.*1/) }),
  );
});

test("a file cut off anywhere is refused, never misread", () => {
  const file = writeTrace(sample);
  for (let length = 0; length < file.length; length += 1) {
    expect(() => readTrace(file.slice(0, length))).toThrow(BootstormError);
  }
});

test("any damaged byte gives a sound trace or a refusal, never another error", () => {
  const file = writeTrace(sample);
  fc.assert(
    fc.property(fc.nat(file.length - 1), fc.integer({ min: 1, max: 255 }), (at, bits) => {
      const damaged = file.slice();
      damaged[at]! ^= bits;
      try {
        const { tables, stacks, processes, locks } = readTrace(damaged);
        for (const stack of tables.lockWait.stack)
          expect(stack).toBeLessThan(stacks.offsets.length);
        for (const lock of tables.lockWait.lock) expect(lock).toBeLessThan(locks.addresses.length);
        for (const process of tables.lockWait.process) {
          expect(process).toBeLessThan(processes.length);
        }
      } catch (error) {
        if (!(error instanceof BootstormError)) throw error;
      }
    }),
    { numRuns: 3000 },
  );
});

test("only a file of ours is taken for one", () => {
  expect(isTrace(writeTrace(sample))).toBe(true);
  expect(isTrace(new TextEncoder().encode("node 5000 [000] 263.1: lock:contention_begin"))).toBe(
    false,
  );
  expect(isTrace(new Uint8Array(0))).toBe(false);
});
