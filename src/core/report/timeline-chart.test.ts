import fc from "fast-check";
import { expect, test } from "vitest";
import type { WaitTimeline } from "../analyze/result.ts";
import { group, markupText } from "./markup.ts";
import { stacked, timelineChart } from "./timeline-chart.ts";

const timeline: WaitTimeline = {
  spanNs: 100_000,
  locks: ["cpa_lock", "pgd_lock", "c", "d", "e", "f", "g"].map((name) => ({
    name,
    address: name,
    evidence: "symbol",
  })),
  lanes: [
    { cpu: 0, waits: [{ tNs: 10_000, waitNs: 5_000, lock: 0 }] },
    { cpu: 7, waits: [{ tNs: 90_000, waitNs: 20_000, lock: 6 }] },
  ],
  leftOut: 3,
};
const drawn = (one: WaitTimeline) => markupText(group(...timelineChart(one, { width: 800 }).body));

test("the CPUs, the locks, the unit of time and what is left out are written down", () => {
  const svg = drawn(timeline);
  for (const text of ["CPU 0", "CPU 7", "cpa_lock", "2 other locks", "time in this window, µs"]) {
    expect(svg).toContain(`>${text}<`);
  }
  expect(svg).toContain("3 more waits in this window not drawn");
  expect(drawn({ ...timeline, leftOut: 0 })).toContain("Every wait in this window is drawn.");
  expect(drawn({ ...timeline, spanNs: 5e6 })).toContain("time in this window, ms");
});

test("a wait that goes on after the window ends with it", () => {
  const bars = [...drawn(timeline).matchAll(/x="([\d.]+)" y="[\d.]+" width="([\d.]+)"/g)];
  for (const [, x, width] of bars) expect(Number(x) + Number(width)).toBeLessThanOrEqual(800);
});

test("a CPU without waits keeps its lane", () => {
  const idle = { ...timeline, lanes: [{ cpu: 3, waits: [] }] };
  expect(drawn(idle)).toContain(">CPU 3<");
  expect(timelineChart(idle, { width: 800 }).description).toContain("CPU 3: 0 waits");
});

test("waits that overlap on one CPU go to different rows, and none is dropped", () => {
  const wait = fc.record({
    tNs: fc.nat(1000),
    waitNs: fc.integer({ min: 1, max: 200 }),
    lock: fc.nat(3),
  });
  fc.assert(
    fc.property(fc.array(wait, { maxLength: 12 }), (waits) => {
      const rows = stacked(waits);
      expect(rows.flat()).toHaveLength(waits.length);
      // Only the last of four rows may hold waits that overlap.
      for (const row of rows.slice(0, 3)) {
        for (let index = 1; index < row.length; index += 1) {
          const before = row[index - 1]!;
          expect(before.tNs + before.waitNs).toBeLessThanOrEqual(row[index]!.tNs);
        }
      }
    }),
  );
});
