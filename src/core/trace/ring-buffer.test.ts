import fc from "fast-check";
import { expect, test } from "vitest";
import {
  begin,
  end,
  FORMATS,
  stack,
  type WrittenEvent,
  writePages,
} from "../../../test/fixtures/ring-buffer-writer.ts";
import { addressTable } from "../event/address-table.ts";
import { stackBuilder } from "../event/stack-builder.ts";
import { parseEventFormat } from "./event-format.ts";
import { decodePages, eventLayout } from "./ring-buffer.ts";

const LOCK = 0xffffffff83b53c30n;
const layout = eventLayout(FORMATS.map((text) => parseEventFormat(text)!));

function decode(pages: Uint8Array, originNs = 0n) {
  const locks = addressTable();
  const frames = addressTable();
  const stacks = stackBuilder();
  const decoded = decodePages(pages, originNs, layout, locks, frames, stacks);
  const { length, t, tid, lock, flags, stack: stackOf, isEnd } = decoded.contention;
  const addresses = locks.addresses();
  const table = stacks.build();
  const callers = frames.addresses();
  const rows = Array.from({ length }, (_, i) => ({
    ns: BigInt(t[i]!) + originNs,
    tid: tid[i],
    lock: addresses[lock[i]!],
    flags: flags[i],
    isEnd: isEnd[i] === 1,
    stack:
      stackOf[i] === -1
        ? undefined
        : Array.from(
            table.frames.subarray(table.offsets[stackOf[i]!], table.offsets[stackOf[i]! + 1]),
            (frame) => callers[frame],
          ),
  }));
  return { rows, others: decoded.others, brokenPages: decoded.brokenPages };
}

test("what is written into pages is what is read from them, for any times and both ways to mark them", () => {
  const wait = fc.record({
    gap: fc.oneof(fc.nat(1000), fc.constant(2 ** 27), fc.nat(2 ** 40)),
    tid: fc.nat(4_000_000),
    lock: fc.bigInt({ min: 1n, max: 2n ** 64n - 1n }),
    flags: fc.nat(63),
    isEnd: fc.boolean(),
  });
  // Of an absolute time the page has the low 59 bits: eighteen years.
  const start = fc.bigInt({ min: 0n, max: 2n ** 58n });
  fc.assert(
    fc.property(
      fc.array(wait, { maxLength: 400 }),
      start,
      fc.boolean(),
      (waits, startNs, absolute) => {
        let ns = startNs;
        const expected = waits.map(({ gap, tid, lock, flags, isEnd }) => {
          ns += BigInt(gap);
          return { ns, tid, lock, flags: isEnd ? 0 : flags, isEnd, stack: undefined };
        });
        const events = expected.map((e) =>
          e.isEnd ? end(e.ns, e.tid, e.lock) : begin(e.ns, e.tid, e.lock, e.flags),
        );
        const { rows, brokenPages } = decode(writePages(events, { absolute }), startNs);
        expect(rows).toEqual(expected);
        expect(brokenPages).toBe(0);
      },
    ),
  );
});

test("times are exact after 400 days of uptime", () => {
  const boot = 400n * 86_400n * 1_000_000_000n;
  const { rows } = decode(writePages([begin(boot + 1n, 5, LOCK), end(boot + 4n, 5, LOCK)]), boot);
  expect(rows.map((row) => row.ns - boot)).toEqual([1n, 4n]);
});

test("a stack belongs to its begin, also when an interrupt's wait comes between them", () => {
  const inner = LOCK + 64n;
  const { rows } = decode(
    writePages([
      begin(1n, 5, LOCK),
      begin(2n, 5, inner),
      stack(3n, 5, [11n, 12n]),
      end(4n, 5, inner),
      stack(5n, 5, [21n]),
      end(6n, 5, LOCK),
    ]),
  );
  expect(rows.map((row) => row.stack)).toEqual([[21n], [11n, 12n], undefined, undefined]);
});

test("a deep stack takes the long form of an entry", () => {
  const callers = Array.from({ length: 40 }, (_, i) => BigInt(i + 1));
  const { rows } = decode(writePages([begin(1n, 5, LOCK), stack(2n, 5, callers)]));
  expect(rows[0]!.stack).toEqual(callers);
});

test("after lost events no stack goes to a begin of an earlier page", () => {
  const filler: WrittenEvent[] = Array.from({ length: 150 }, (_, i) => begin(BigInt(i), 5, LOCK));
  const pages = writePages([...filler, stack(200n, 5, [9n])], { lost: true });
  const { rows } = decode(pages);
  expect(pages.length / 4096).toBe(2);
  expect(rows.slice(0, 145).every((row) => row.stack === undefined)).toBe(true);
});

test("other events are kept aside for slower readers", () => {
  const other: WrittenEvent = {
    ns: 3n,
    payload: Uint8Array.of(91, 0, 0, 0, 7, 0, 0, 0, 42, 0, 0, 0),
  };
  const { others } = decode(writePages([begin(1n, 5, LOCK), other]));
  expect(others).toMatchObject([{ t: 3, id: 91, tid: 7 }]);
  expect(others[0]!.payload.getUint32(8, true)).toBe(42);
});

test("any bytes end in counted pages, never in an error or a row too many", () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ minLength: 4096, maxLength: 4096, size: "max" }),
      fc.nat(4080),
      (page, commit) => {
        new DataView(page.buffer, page.byteOffset).setUint32(8, commit, true);
        const { rows } = decode(page.slice());
        expect(rows.length).toBeLessThanOrEqual(4080 / 12);
      },
    ),
    { numRuns: 300 },
  );
});
