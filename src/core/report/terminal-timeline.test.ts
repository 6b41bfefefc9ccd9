import { expect, test } from "vitest";
import type { WaitTimeline } from "../analyze/result.ts";
import { terminalTimeline } from "./terminal-timeline.ts";

const lock = (name: string) => ({ name, address: "0x0000000000000000", evidence: "none" }) as const;
const timeline: WaitTimeline = {
  spanNs: 1300,
  locks: [lock("cpa_lock"), lock("rq->lock")],
  lanes: [
    { cpu: 0, waits: [{ tNs: 200, waitNs: 350, lock: 0 }] },
    {
      cpu: 1,
      waits: [
        { tNs: 300, waitNs: 290, lock: 0 },
        { tNs: 650, waitNs: 40, lock: 1 },
        { tNs: 1290, waitNs: 10, lock: 1 },
      ],
    },
  ],
  leftOut: 0,
};

test("a column shows the lock that was waited for longest in its slice", () => {
  expect(terminalTimeline(timeline, { width: 20, ascii: true })).toBe(
    [
      "CPU 0  ..AAAA.......",
      "CPU 1  ...AAAB.....B",
      "",
      "A cpa_lock, B",
      "rq->lock; one column",
      "is 100 ns.",
    ].join("\n"),
  );
});

test("what is not drawn is said", () => {
  const lanes = Array.from({ length: 40 }, (_, cpu) => ({ cpu, waits: [] }));
  const text = terminalTimeline({ ...timeline, lanes, leftOut: 7 }, { width: 40, ascii: true });
  expect(text).toContain("8 more CPUs are not shown.");
  expect(text).toContain("7 shorter waits are not shown.");
});
