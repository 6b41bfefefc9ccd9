import fc from "fast-check";
import { expect, test } from "vitest";
import { lockWaitShare, nextWindowMs } from "./lock-share.ts";

const SPAN = 100;

/** The same by ticking off every nanosecond. */
function shareByHand(waits: readonly Wait[], boots: ReadonlySet<number>): number {
  let waited = 0;
  for (const boot of boots) {
    for (let ns = 0; ns < SPAN; ns += 1) {
      if (waits.some((w) => w.boot === boot && w.t <= ns && ns < w.t + w.waitNs)) waited += 1;
    }
  }
  return waited / (SPAN * boots.size);
}

interface Wait {
  readonly t: number;
  readonly waitNs: number;
  readonly tid: number;
  readonly boot: number;
}

/** Threads 0..11, four a boot; boot 2 is not in service throughout. */
const wait = fc
  .record({
    t: fc.nat(SPAN - 1),
    waitNs: fc.nat(SPAN),
    tid: fc.nat(11),
  })
  .map((w): Wait => ({ ...w, boot: Math.floor(w.tid / 4) }));

test("the share is the time with a waiting thread, boot by boot, however waits overlap", () => {
  const boots = new Set([0, 1]);
  const bootOf = new Map(Array.from({ length: 12 }, (_, tid) => [tid, Math.floor(tid / 4)]));
  fc.assert(
    fc.property(fc.array(wait, { maxLength: 12 }), (waits) => {
      const sorted = waits.toSorted((a, b) => a.t - b.t);
      const share = lockWaitShare(
        {
          spanNs: SPAN,
          t: Float64Array.from(sorted, ({ t }) => t),
          waitNs: Float64Array.from(sorted, ({ waitNs }) => waitNs),
          tid: Int32Array.from(sorted, ({ tid }) => tid),
        },
        boots,
        bootOf,
      );
      expect(share).toBeCloseTo(shareByHand(sorted, boots), 12);
    }),
  );
});

test("waits of threads that are no boot's do not count; without boots there is no share", () => {
  const window = {
    spanNs: SPAN,
    t: Float64Array.of(0),
    waitNs: Float64Array.of(SPAN),
    tid: Int32Array.of(99),
  };
  expect(lockWaitShare(window, new Set([0]), new Map([[1, 0]]))).toBe(0);
  expect(lockWaitShare(window, new Set(), new Map())).toBeUndefined();
});

test("at any steady rate windows settle where watching costs at most 1 % of the CPU time", () => {
  const cpus = 2;
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 4_000_000 }), (pairsPerS) => {
      let ms = 100;
      for (let i = 0; i < 12; i += 1) {
        ms = nextWindowMs(ms, { pairs: (pairsPerS * ms) / 1000, lost: false, cpus });
      }
      const costNs = ((pairsPerS * ms) / 1000) * 500;
      const shortest = ms === 2;
      expect(costNs <= 0.01 * cpus * 1e9 || shortest).toBe(true);
      expect(ms).toBeLessThanOrEqual(800);
      if (pairsPerS < 1000) expect(ms).toBe(800);
    }),
  );
});

test("a window that lost events is followed by a shorter one", () => {
  expect(nextWindowMs(100, { pairs: 10, lost: true, cpus: 2 })).toBe(25);
});
