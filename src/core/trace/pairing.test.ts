import fc from "fast-check";
import { expect, test } from "vitest";
import { LOCK_FLAG } from "../event/schema.ts";
import { type Pairing, pairing } from "./pairing.ts";

const { spin, mutex } = LOCK_FLAG;

function paired(feed: (pairs: Pairing) => void) {
  const pairs = pairing(1000);
  feed(pairs);
  const { waits, rejects } = pairs.finish();
  const rows = Array.from({ length: waits.length }, (_, i) => ({
    t: waits.t[i],
    waitNs: waits.waitNs[i],
    tid: waits.tid[i],
    lock: waits.lock[i],
  }));
  return { rows, rejects: Object.fromEntries(rejects) };
}

test("a wait lasts from its begin to its end, whatever CPU it ends on", () => {
  const { rows } = paired((p) => {
    p.begin(10, 0, 5, 1, -1, spin, 0);
    p.end(25, 3, 5, 1);
  });
  expect(rows).toEqual([{ t: 10, waitNs: 15, tid: 5, lock: 1 }]);
});

test("an interrupt's wait inside a thread's wait leaves both as they are", () => {
  const { rows } = paired((p) => {
    p.begin(10, 0, 5, 1, -1, spin, 0);
    p.begin(12, 0, 5, 2, -1, spin, 0);
    p.end(14, 0, 5, 2);
    p.end(20, 0, 5, 1);
  });
  expect(rows.map((row) => [row.lock, row.waitNs])).toEqual([
    [1, 10],
    [2, 2],
  ]);
});

test("waits of one thread may also end in the order they began", () => {
  const { rows, rejects } = paired((p) => {
    p.begin(10, 0, 5, 1, -1, spin, 0);
    p.begin(12, 0, 5, 2, -1, spin, 0);
    p.end(14, 0, 5, 1);
    p.end(20, 0, 5, 2);
  });
  expect(rows.map((row) => row.waitNs)).toEqual([4, 8]);
  expect(rejects).toEqual({});
});

test("a mutex that spins and then sleeps is one wait, from the first begin", () => {
  const { rows, rejects } = paired((p) => {
    p.begin(10, 0, 5, 1, -1, spin | mutex, 0);
    p.begin(30, 0, 5, 1, -1, mutex, 0);
    p.begin(35, 0, 5, 1, -1, spin | mutex, 0);
    p.end(40, 0, 5, 1);
  });
  expect(rows).toMatchObject([{ t: 10, waitNs: 30 }]);
  expect(rejects).toEqual({});
});

test("what the recorder took of a wait adds up over its begins, and is never more than the wait", () => {
  const pairs = pairing(9);
  pairs.begin(10, 0, 5, 1, -1, spin | mutex, 3);
  pairs.begin(30, 0, 5, 1, -1, mutex, 4);
  pairs.end(40, 0, 5, 1);
  pairs.begin(50, 0, 5, 1, -1, spin, 9);
  pairs.end(52, 0, 5, 1);
  expect([...pairs.finish().waits.observerNs]).toEqual([7, 2]);
});

test("a spin lock that begins again has lost its end: the first is rejected, the second counts", () => {
  const { rows, rejects } = paired((p) => {
    p.begin(10, 0, 5, 1, -1, spin, 0);
    p.begin(1000, 0, 5, 1, -1, spin, 0);
    p.end(1004, 0, 5, 1);
  });
  expect(rows).toMatchObject([{ t: 1000, waitNs: 4 }]);
  expect(rejects).toEqual({ "begin again without an end": 1 });
});

test("the idle threads of two CPUs share the number 0 and are two", () => {
  const { rows } = paired((p) => {
    p.begin(10, 0, 0, 1, -1, spin, 0);
    p.begin(12, 1, 0, 1, -1, spin, 0);
    p.end(13, 1, 0, 1);
    p.end(20, 0, 0, 1);
  });
  expect(rows.map((row) => row.waitNs)).toEqual([10, 1]);
});

test("a thread number that Linux never gives is counted", () => {
  const { rejects } = paired((p) => {
    p.begin(1, 0, -3, 1, -1, spin, 0);
    p.end(2, 0, 2 ** 30, 1);
  });
  expect(rejects).toEqual({ "thread number out of range": 2 });
});

test("every event becomes part of a wait or a counted reject, for any sequence of spin waits", () => {
  const event = fc.record({
    tid: fc.integer({ min: 1, max: 3 }),
    lock: fc.nat(2),
    isEnd: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.array(event, { maxLength: 200 }), (events) => {
      const open = new Map<string, number>();
      const expected: { t: number; waitNs: number }[] = [];
      let orphans = 0;
      let again = 0;
      const { rows, rejects } = paired((p) => {
        events.forEach(({ tid, lock, isEnd }, t) => {
          const key = `${tid} ${lock}`;
          const since = open.get(key);
          if (isEnd) {
            p.end(t, 0, tid, lock);
            if (since === undefined) orphans += 1;
            else expected.push({ t: since, waitNs: t - since });
            open.delete(key);
          } else {
            p.begin(t, 0, tid, lock, -1, spin, 0);
            if (since !== undefined) again += 1;
            open.set(key, t);
          }
        });
      });
      expect(rows.map(({ t, waitNs }) => ({ t, waitNs }))).toEqual(
        expected.sort((a, b) => a.t - b.t),
      );
      expect(rejects["end without a begin"] ?? 0).toBe(orphans);
      expect(rejects["begin again without an end"] ?? 0).toBe(again);
      expect(rejects["begin whose end was not recorded"] ?? 0).toBe(open.size);
    }),
  );
});
