import fc from "fast-check";
import { expect, test } from "vitest";
import { createTextTail, plainLines, TAIL_CHARS_MAX, TAIL_LINES_MAX } from "./console-tail.ts";

test("control characters and escape sequences are gone, their text stays", () => {
  const check = (text: string, lines: string[]) => expect(plainLines(text)).toEqual(lines);
  check("\u001b[2J\u001b[1;31mred\u001b[0m\ttab\u0000\u0007\u009b", ["red tab"]);
  check("\u001b]0;title\u0007a\u001b]8;;http://x\u001b\\b\u001b]unfinished", ["abunfinished"]);
  check("\u001bM\u001b(Bplain\u001b", ["plain"]);
  check("one\r\ntwo\r\r\n\n  \nthree\rfour", ["one", "two", "three", "four"]);
  check("user\u202egnp.exe\u2066\u200b\u2028x", ["usergnp.exe x"]);
  check("größe 🙂", ["größe 🙂"]);
});

test("no line has a control character, whatever comes", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), (text) => {
      const lines = plainLines(text);
      expect(lines.join("")).not.toMatch(/[\p{Cc}\p{Cs}]/u);
      expect(Math.max(0, ...lines.map(({ length }) => length))).toBeLessThanOrEqual(TAIL_CHARS_MAX);
    }),
  );
});

test("a tail has the last lines, however the text came and however long it was", () => {
  const line = fc
    .tuple(fc.integer({ min: 1, max: TAIL_CHARS_MAX }), fc.constantFrom("a", "b", "é", "語"))
    .map(([chars, char]) => char.repeat(chars));
  const lines = fc.array(line, { maxLength: 200, size: "max" });
  const cuts = fc.array(fc.nat({ max: 100_000 }), { maxLength: 20 });
  fc.assert(
    fc.property(lines, cuts, (all, at) => {
      const text = Buffer.from(all.map((each) => `${each}\r\n`).join(""));
      const ends = [0, ...at, text.length].sort((a, b) => a - b);
      const tail = createTextTail();
      for (let i = 1; i < ends.length; i += 1) tail.add(text.subarray(ends[i - 1], ends[i]));
      // 16 KiB hold twenty lines of 400 characters of two bytes, and fewer of more.
      const kept = text.subarray(-(16 << 10)).toString("utf8");
      expect(tail.lines()).toEqual(plainLines(kept).slice(-TAIL_LINES_MAX));
    }),
  );
});
