import fc from "fast-check";
import { expect, test } from "vitest";
import { anyTrace, traceOf } from "../../../test/fixtures/trace.ts";
import { lockWaits } from "./lock-wait.ts";

test("the rows account for every wait once, by caller as by process", () => {
  fc.assert(
    fc.property(anyTrace, fc.constantFrom("caller" as const, "process" as const), (trace, by) => {
      const { rows, totals } = lockWaits(trace, { by });
      const waitNs = trace.tables.lockWait.waitNs.reduce((a, b) => a + b, 0);
      expect(totals).toEqual({ waits: trace.tables.lockWait.length, waitNsTotal: waitNs });
      for (const row of rows) {
        expect(row.waitNsMean * row.waits).toBeCloseTo(row.waitNsTotal, 3);
        expect(row.waitNsP99).toBeLessThanOrEqual(row.waitNsMax);
        expect(row.lockCount).toBeGreaterThan(0);
      }
    }),
  );
});

test("windows that cover a trace share its waits among them", () => {
  fc.assert(
    fc.property(anyTrace, fc.nat(1_200_000), (trace, cut) => {
      const waits = (fromNs: number, toNs: number) =>
        lockWaits(trace, { by: "caller", window: { fromNs, toNs } }).totals.waits;
      expect(waits(0, cut) + waits(cut, 1_200_001)).toBe(trace.tables.lockWait.length);
    }),
  );
});

test("two CPUs that wait for half of the time each lose a quarter of all CPU time", () => {
  const trace = traceOf([{ t: 0, waitNs: 500 }], { cpuCount: 2, spanNs: 1000 });
  expect(lockWaits(trace, { by: "caller" }).rows[0]!.shareOfCpuTime).toBe(0.25);
});

test("the caller is the function that needed the change, not the machinery that takes the lock", () => {
  const stack = [
    "__pv_queued_spin_lock_slowpath",
    "_raw_spin_lock",
    "__change_page_attr_set_clr",
    "set_direct_map_invalid_noflush",
    "secretmem_fault",
  ];
  const [row] = lockWaits(traceOf([{ t: 0, waitNs: 5, stack }]), { by: "caller" }).rows;
  expect(row).toMatchObject({
    lock: { name: "cpa_lock" },
    caller: "set_direct_map_invalid_noflush",
  });
});

test("locks of one kind share a row, which counts them and gives the address waited for most", () => {
  const stack = ["_raw_spin_lock", "__pte_offset_map_lock"];
  const { rows } = lockWaits(
    traceOf(
      [
        { t: 0, waitNs: 5, lock: 0, stack },
        { t: 1, waitNs: 9, lock: 1, stack },
      ],
      { locks: [0xffff888100000040n, 0xffff888100000080n] },
    ),
    { by: "caller" },
  );
  expect(rows).toMatchObject([
    {
      lockCount: 2,
      waitNsTotal: 14,
      lock: { name: "page-table lock", address: "0xffff888100000080" },
    },
  ]);
});

test("a mutex sleeps, a spin lock burns the CPU", () => {
  const { rows } = lockWaits(
    traceOf([
      { t: 0, waitNs: 5, flags: 1 },
      { t: 1, waitNs: 9, flags: 33 },
    ]),
    { by: "caller" },
  );
  expect(rows.map((row) => row.kind)).toEqual(["sleep", "spin"]);
});

test("a source that cannot see waits has no answer, which is not the answer none", () => {
  const trace = traceOf([]);
  const blind = { ...trace, meta: { ...trace.meta, sees: [] } };
  expect(() => lockWaits(blind, { by: "caller" })).toThrow(
    expect.objectContaining({ code: "NOT_RECORDED" }),
  );
});
