import fc from "fast-check";
import { expect, test } from "vitest";
import { HOSTILE } from "../../../test/fixtures/investigate.ts";
import { markupText } from "./markup.ts";
import { displayWidth } from "./plain-text.ts";
import { type Column, type Table, tableMarkup, tableText } from "./table.ts";

const empty = "No wait was seen.";
const tableOf = (columns: readonly Column[]): Table => ({ caption: "Waits", columns, empty });

const waits = tableOf([
  { header: "lock", cells: ["cpa_lock", "pgd_lock"], align: "left", code: true },
  {
    header: "called from",
    cells: ["set_direct_map_default_noflush", "pgd_alloc"],
    align: "left",
    code: true,
  },
  { header: "waits", cells: ["24,310", "7"], align: "right" },
  { header: "max, µs", cells: ["88.4", "0.9"], align: "right", optional: true },
]);

test("text at the left, numbers at the right, units in the headers", () => {
  expect(tableText(waits, 80)).toBe(
    `Waits

lock      called from                      waits  max, µs
cpa_lock  set_direct_map_default_noflush  24,310     88.4
pgd_lock  pgd_alloc                            7      0.9`,
  );
});

test("without room the optional column goes first, then names are cut, numbers never", () => {
  expect(tableText(waits, 48)).toBe(
    `Waits

lock      called from                      waits
cpa_lock  set_direct_map_default_noflush  24,310
pgd_lock  pgd_alloc                            7`,
  );
  expect(tableText(waits, 36)).toBe(
    `Waits

lock      called from          waits
cpa_lock  set_direct_map_de…  24,310
pgd_lock  pgd_alloc                7`,
  );
});

test("no row: it is said in words", () => {
  const none = tableOf([{ header: "lock", cells: [], align: "left" }]);
  expect(tableText(none, 80)).toBe(`Waits\n\n${empty}`);
  expect(markupText(tableMarkup(none))).toContain(empty);
});

test("no line is wider than asked, for any cells", () => {
  const cell = fc.oneof(fc.string({ unit: "binary", maxLength: 40 }), fc.constantFrom(...HOSTILE));
  const column = fc.record({
    header: fc.string({ maxLength: 12 }),
    cells: fc.array(cell, { minLength: 1, maxLength: 4 }),
    align: fc.constantFrom("left", "right"),
    optional: fc.boolean(),
  });
  fc.assert(
    fc.property(
      fc.array(column, { minLength: 1, maxLength: 6 }),
      fc.integer({ min: 20, max: 120 }),
      (columns, width) => {
        for (const line of tableText(tableOf(columns), width).split("\n")) {
          expect(displayWidth(line)).toBeLessThanOrEqual(width);
          expect(line).toBe(line.trimEnd());
        }
      },
    ),
  );
});

test("in HTML, headers have a scope and hostile cells stay text", () => {
  const html = markupText(
    tableMarkup(tableOf([{ header: "process", cells: HOSTILE, align: "left", code: true }])),
  );
  expect(html).toContain('<th scope="col">process</th>');
  expect(html.match(/<th scope="row">/g)).toHaveLength(HOSTILE.length);
  expect(html).not.toMatch(/<(script|img)/);
});
