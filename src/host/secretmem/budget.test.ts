import fc from "fast-check";
import { expect, test } from "vitest";
import { pageBudget } from "./budget.ts";

const GIB = 2 ** 30;
const HOST = { memAvailableBytes: 24 * GIB, memoryShare: 0.01, memlockBytes: 8 * 2 ** 20 };

test("all processes together stay within the asked pages, the share and the limit, for any input", () => {
  fc.assert(
    fc.property(
      fc.record({
        pages: fc.integer({ min: 1, max: 1e6 }),
        processes: fc.integer({ min: 1, max: 1024 }),
        memAvailableBytes: fc.integer({ min: 0, max: 2 ** 44 }),
        memoryShare: fc.double({ min: 0, max: 1, noNaN: true }),
        memlockBytes: fc.oneof(
          fc.integer({ min: 0, max: 2 ** 40 }),
          fc.constant(Number.POSITIVE_INFINITY),
        ),
      }),
      (ask) => {
        const { pages } = pageBudget(ask);
        const bytes = pages * 4096 * ask.processes;
        expect(Number.isInteger(pages)).toBe(true);
        expect(pages).toBeGreaterThanOrEqual(0);
        expect(pages).toBeLessThanOrEqual(ask.pages);
        expect(bytes).toBeLessThanOrEqual(ask.memAvailableBytes * ask.memoryShare);
        expect(bytes).toBeLessThanOrEqual(ask.memlockBytes);
      },
    ),
  );
});

test.each([
  { name: "the default fits", ask: { pages: 512, processes: 4 }, pages: 512, boundBy: "asked" },
  { name: "8 MiB for 8", ask: { pages: 512, processes: 8 }, pages: 256, boundBy: "memlock" },
  {
    name: "1 % of 256 MiB for 2",
    ask: { pages: 512, processes: 2, memAvailableBytes: GIB / 4 },
    pages: 327,
    boundBy: "memory",
  },
  {
    name: "no limit",
    ask: { pages: 4096, processes: 8, memlockBytes: Number.POSITIVE_INFINITY },
    pages: 4096,
    boundBy: "asked",
  },
])("$name: $pages pages, bound by $boundBy", ({ ask, pages, boundBy }) => {
  expect(pageBudget({ ...HOST, ...ask })).toEqual({ pages, boundBy });
});
