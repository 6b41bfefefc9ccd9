import { expect, test } from "vitest";
import { traceOf } from "../../../test/fixtures/trace.ts";
import { spinEvidence } from "./spin-evidence.ts";

test.each([
  ["__pv_queued_spin_lock_slowpath", "all"],
  ["native_queued_spin_lock_slowpath", "misses-first-waiter"],
  ["__mutex_lock.constprop.0", "unknown"],
] as const)("a waiter in %s tells: %s", (slowpath, visibility) => {
  expect(spinEvidence(traceOf([{ t: 0, waitNs: 1, stack: [slowpath, "x"] }]))).toBe(visibility);
});

test("a simulation sees every waiter, whatever its stacks show", () => {
  const { meta, ...trace } = traceOf([{ t: 0, waitNs: 1, stack: ["x"] }]);
  expect(spinEvidence({ ...trace, meta: { ...meta, source: "sim" } })).toBe("all");
});
