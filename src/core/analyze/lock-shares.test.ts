import { expect, test } from "vitest";
import { type DrawnWait, traceOf } from "../../../test/fixtures/trace.ts";
import { lockShares } from "./lock-shares.ts";
import type { RoundResult } from "./pressure.ts";

const ORIGIN = traceOf([]).meta.origin.ns;

/** One round of process 77 (the process of drawn waits) and process 78: fill 100..200, free 300..400. */
const round: RoundResult = {
  kind: "secret",
  processes: 2,
  pages: 10,
  workers: [77, 78].map((pid) => ({
    pid,
    cpu: 0,
    fill: { startNs: ORIGIN + 100n, endNs: ORIGIN + 200n },
    free: { startNs: ORIGIN + 300n, endNs: ORIGIN + 400n },
  })),
};

function shares(...waits: DrawnWait[]) {
  const recorded = { trace: traceOf(waits), rounds: [round] };
  return lockShares(recorded, recorded).map(
    ({ phase, processes, waits, waitNsTotal, shareOfTime }) => ({
      phase,
      processes,
      waits,
      waitNsTotal,
      shareOfTime,
    }),
  );
}

test("a wait counts for the phase it begins in, as a share of the time of all processes", () => {
  expect(shares({ t: 310, waitNs: 50, process: 0 }, { t: 150, waitNs: 10, process: 0 })).toEqual([
    { phase: "fill", processes: 2, waits: 1, waitNsTotal: 10, shareOfTime: 0.05 },
    { phase: "free", processes: 2, waits: 1, waitNsTotal: 50, shareOfTime: 0.25 },
  ]);
});

test("a wait that outlasts its phase counts until the phase's end, so no share exceeds one", () => {
  expect(shares({ t: 390, waitNs: 5000, process: 0 })).toMatchObject([{ waitNsTotal: 10 }]);
});

test("waits between the phases and waits of other processes do not count", () => {
  expect(shares({ t: 250, waitNs: 10, process: 0 }, { t: 150, waitNs: 10, process: -1 })).toEqual(
    [],
  );
});

test("numbers come from the recording without stacks, names from the one with them", () => {
  const stack = ["_raw_spin_lock", "__change_page_attr_set_clr", "set_direct_map_default_noflush"];
  const other = ["_raw_spin_lock", "__change_page_attr_set_clr", "set_memory_4k"];
  const timed = { trace: traceOf([{ t: 310, waitNs: 20, process: 0 }]), rounds: [round] };
  const witness = {
    trace: traceOf([
      { t: 310, waitNs: 900, process: 0, stack },
      { t: 330, waitNs: 900, process: 0, stack },
      { t: 340, waitNs: 900, process: 0, stack: other },
    ]),
    rounds: [round],
  };
  expect(lockShares(timed, witness)).toMatchObject([
    {
      lock: { name: "cpa_lock", evidence: "caller" },
      caller: "set_direct_map_default_noflush",
      callerShare: 2 / 3,
      waits: 1,
      waitNsTotal: 20,
    },
  ]);
});
