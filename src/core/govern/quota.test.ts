import fc from "fast-check";
import { expect, test } from "vitest";
import {
  nextRunShare,
  PERIOD_NS,
  QUOTA_TOLERANCE,
  type QuotaRules,
  RUN_FREELY,
  slicesOf,
} from "./quota.ts";

const FLOOR = 0.05;
const rulesOf = (quota: number): QuotaRules => ({ quota, runShareMin: FLOOR });

/** Shares of a guest that would do `rate` if nobody slowed it, round by round. */
function play(rates: readonly number[], quota: number, from = RUN_FREELY): number[] {
  let share = from;
  return rates.map((rate) => {
    share = nextRunShare(share, rate * share, rulesOf(quota));
    return share;
  });
}

const quotas = fc.double({ min: 1e-3, max: 1e6, noNaN: true });
const rates = fc.double({ min: 0, max: 1e9, noNaN: true });
const shares = fc.double({ min: FLOOR, max: 1, noNaN: true });

test("an offender comes to its quota within 10 rounds, from any share, and stays", () => {
  fc.assert(
    fc.property(
      quotas,
      // Up to what the floor allows to slow down; below 1.1 it is no offender.
      fc.double({ min: 1.2, max: 1 / FLOOR, noNaN: true }),
      shares,
      (quota, excess, from) => {
        const rate = quota * excess;
        const played = play(Array(40).fill(rate), quota, from);
        for (const share of played.slice(10)) {
          expect(Math.abs(share * rate - quota)).toBeLessThanOrEqual(
            QUOTA_TOLERANCE * quota * 1.000001,
          );
        }
        expect(new Set(played.slice(10)).size).toBe(1);
      },
    ),
  );
});

test("a guest within its quota is never slowed, whatever it does below", () => {
  fc.assert(
    fc.property(
      quotas,
      fc.array(fc.double({ min: 0, max: 1 + QUOTA_TOLERANCE, noNaN: true })),
      (quota, parts) => {
        const played = play(
          parts.map((part) => part * quota * 0.999999),
          quota,
        );
        expect(played.every((share) => share === RUN_FREELY)).toBe(true);
      },
    ),
  );
});

test("nobody is stopped and nobody gets more than all, for any sequence of rates", () => {
  fc.assert(
    fc.property(quotas, fc.array(rates), (quota, sequence) => {
      for (const share of play(sequence, quota)) {
        expect(share).toBeGreaterThanOrEqual(FLOOR);
        expect(share).toBeLessThanOrEqual(1);
      }
    }),
  );
});

test("who behaves again is free within 12 rounds, but not after one", () => {
  fc.assert(
    fc.property(quotas, fc.double({ min: 0, max: 0.85, noNaN: true }), (quota, part) => {
      const played = play(Array(13).fill(part * quota), quota, FLOOR);
      expect(played[0]).toBeLessThanOrEqual(2 * FLOOR);
      expect(played[12]).toBe(RUN_FREELY);
    }),
  );
});

test("the worse it is, the less it may run; the more it may do, the more it may run", () => {
  fc.assert(
    fc.property(shares, quotas, rates, rates, (share, quota, a, b) => {
      const [less, more] = a < b ? [a, b] : [b, a];
      const after = (rate: number, limit: number) => nextRunShare(share, rate, rulesOf(limit));
      expect(after(more, quota)).toBeLessThanOrEqual(after(less, quota));
      expect(after(a, quota * 2)).toBeGreaterThanOrEqual(after(a, quota));
    }),
  );
});

test("only the ratio of rate and quota counts: the unit may be any", () => {
  fc.assert(
    fc.property(shares, quotas, rates, (share, quota, rate) => {
      // A power of two is exact.
      expect(nextRunShare(share, rate * 1024, rulesOf(quota * 1024))).toBe(
        nextRunShare(share, rate, rulesOf(quota)),
      );
    }),
  );
});

test("a share that was written and read again goes on the same way", () => {
  fc.assert(
    fc.property(quotas, fc.array(rates), fc.array(rates), (quota, before, after) => {
      const share = play(before, quota).at(-1) ?? RUN_FREELY;
      const read = JSON.parse(JSON.stringify(share));
      expect(play(after, quota, read)).toEqual(play(after, quota, share));
    }),
  );
});

test("slices fill the period, and no pause is longer than 76 ms", () => {
  fc.assert(
    fc.property(shares, (share) => {
      const { runNs, pauseNs } = slicesOf(share);
      expect(runNs + pauseNs).toBe(PERIOD_NS);
      expect(runNs).toBeGreaterThan(0);
      expect(pauseNs).toBeLessThanOrEqual(76_000_000);
      expect(Math.abs(runNs / PERIOD_NS - share)).toBeLessThan(1e-6);
    }),
  );
});

test.each([
  // share, rate, quota → next
  [1, 0.2, 0.5, 1, "below: untouched"],
  [1, 0.54, 0.5, 1, "8 % above: within tolerance"],
  [1, 0.7, 0.5, 1 / 1.1, "40 % above: a small step"],
  [1, 2, 0.5, 0.25, "four times: in proportion"],
  [0.25, 0.5, 0.5, 0.25, "at its quota: stays"],
  [0.25, 0.4, 0.5, 0.275, "a fifth below: a small step back"],
  [0.25, 0, 0.5, 0.5, "rests: twice as much, not all"],
  [1, 1000, 0.5, 0.05, "boundless: the floor"],
])("share %d at rate %d of quota %d becomes %d (%s)", (share, rate, quota, expected) => {
  expect(nextRunShare(share, rate, rulesOf(quota))).toBeCloseTo(expected, 10);
});
