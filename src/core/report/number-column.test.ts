import fc from "fast-check";
import { expect, test } from "vitest";
import { nsColumn, percentColumn } from "./number-column.ts";

const durations: readonly (readonly [readonly number[], string, readonly string[]])[] = [
  [[450, 12], "ns", ["450", "12"]],
  [[2_150, 900], "ns", ["2,150", "900"]],
  [[52_266_500, 11_601_480, 387_280, 3_150], "ms", ["52.3", "11.6", "0.4", "<0.1"]],
  [[5_000_000], "µs", ["5,000"]],
  [[168_527_000_000, 344_034_600, 0], "s", ["168.5", "0.3", "0.0"]],
  [[], "ns", []],
];
test.each(durations)("%j share the unit %s", (values, unit, cells) => {
  expect(nsColumn(values)).toEqual({ unit, cells });
});

test("what is not zero is never printed as zero", () => {
  fc.assert(
    fc.property(fc.array(fc.double({ min: 1e-12, max: 1, noNaN: true })), (shares) => {
      for (const cell of percentColumn(shares).cells) expect(cell).not.toMatch(/^[0.,]+$/);
    }),
  );
});
