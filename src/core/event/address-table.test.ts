import fc from "fast-check";
import { expect, test } from "vitest";
import { addressTable } from "./address-table.ts";

const halves = (address: bigint): [number, number] => [
  Number(address >> 32n),
  Number(address & 0xffffffffn),
];

test("two kernel addresses 64 bytes apart stay different, though as doubles they are one", () => {
  const pgdLock = 0xffffffff86ed12c8n;
  const cpaLock = 0xffffffff86ed1308n;
  expect(Number(pgdLock)).toBe(Number(cpaLock));
  const table = addressTable();
  expect(table.intern(...halves(pgdLock))).not.toBe(table.intern(...halves(cpaLock)));
  expect([...table.addresses()]).toEqual([pgdLock, cpaLock]);
});

test("numbers addresses like a map does, for any sequence of addresses", () => {
  // Few high halves and multiples of 64, as locks are, so that slots collide.
  const address = fc
    .tuple(fc.constantFrom(0n, 0xffff8881n, 0xffffffffn), fc.integer({ min: 0, max: 4000 }))
    .map(([high, low]) => (high << 32n) | BigInt(low * 64));
  fc.assert(
    fc.property(fc.array(address, { maxLength: 3000 }), (addresses) => {
      const table = addressTable();
      const map = new Map<bigint, number>();
      for (const each of addresses) {
        if (!map.has(each)) map.set(each, map.size);
        expect(table.intern(...halves(each))).toBe(map.get(each));
      }
      expect([...table.addresses()]).toEqual([...map.keys()]);
    }),
    { numRuns: 50 },
  );
});
