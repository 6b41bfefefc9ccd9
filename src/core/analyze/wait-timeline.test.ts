import fc from "fast-check";
import { expect, test } from "vitest";
import { anyTrace, traceOf } from "../../../test/fixtures/trace.ts";
import { busiestWindow, waitTimeline } from "./wait-timeline.ts";

test("nothing is drawn outside the window, and what is not drawn is counted", () => {
  fc.assert(
    fc.property(
      anyTrace,
      fc.nat(1_200_000),
      fc.nat(300_000),
      fc.nat(40),
      (trace, fromNs, length, waitsMax) => {
        const toNs = fromNs + length;
        const timeline = waitTimeline(trace, { fromNs, toNs, waitsMax });
        const drawn = timeline.lanes.flatMap((lane) => lane.waits);
        for (const { tNs, waitNs, lock } of drawn) {
          expect(tNs).toBeGreaterThanOrEqual(0);
          expect(tNs + waitNs).toBeLessThanOrEqual(length);
          expect(timeline.locks[lock]).toBeDefined();
        }
        const { t, waitNs } = trace.tables.lockWait;
        const inside = t.filter((at, i) => at < toNs && at + waitNs[i]! > fromNs).length;
        expect(drawn.length + timeline.leftOut).toBe(inside);
        expect(drawn.length).toBe(Math.min(waitsMax, inside));
      },
    ),
  );
});

test("a wait that began before the window is cut at its edge", () => {
  const timeline = waitTimeline(traceOf([{ t: 10, waitNs: 100, cpu: 1 }]), {
    fromNs: 50,
    toNs: 80,
    waitsMax: 9,
  });
  expect(timeline.lanes[1]!.waits).toEqual([{ tNs: 0, waitNs: 30, lock: 0 }]);
});

test("in no other window of the length that starts with a wait do more waits begin", () => {
  fc.assert(
    fc.property(anyTrace, fc.integer({ min: 1, max: 500_000 }), (trace, lengthNs) => {
      const { t } = trace.tables.lockWait;
      const waitsFrom = (from: number) =>
        t.filter((at) => at >= from && at < from + lengthNs).length;
      const { fromNs } = busiestWindow(trace, lengthNs);
      for (const start of t) expect(waitsFrom(fromNs)).toBeGreaterThanOrEqual(waitsFrom(start));
    }),
  );
});
