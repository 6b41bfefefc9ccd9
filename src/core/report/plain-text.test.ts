import fc from "fast-check";
import { expect, test } from "vitest";
import { HOSTILE } from "../../../test/fixtures/investigate.ts";
import { cut, displayWidth, padEnd, padStart, visible, wrap } from "./plain-text.ts";

const anyText = fc.string({ unit: "binary", maxLength: 60 });

test("what is visible holds no control, no invisible and no bidirectional character", () => {
  fc.assert(
    fc.property(fc.oneof(anyText, fc.constantFrom(...HOSTILE)), (text) => {
      expect(visible(text)).not.toMatch(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u);
    }),
  );
});

test("ordinary text is left as it is", () => {
  expect(visible("CPU 0/KVM — µs × 12 %")).toBe("CPU 0/KVM — µs × 12 %");
});

test("a cut text is never wider than its room, and is whole if it fits", () => {
  fc.assert(
    fc.property(anyText, fc.nat(40), (raw, width) => {
      const text = visible(raw);
      expect(displayWidth(cut(text, width))).toBeLessThanOrEqual(width);
      if (displayWidth(text) <= width) expect(cut(text, width)).toBe(text);
    }),
  );
});

test("padding keeps wide characters in line", () => {
  expect(displayWidth(padEnd("仮想", 8))).toBe(8);
  expect(padStart("e\u0301", 3)).toBe("  e\u0301");
});

test("wrapping keeps every word and every width but that of a longer word", () => {
  const word = fc.string({ unit: fc.constantFrom("a", "b", "_"), minLength: 1, maxLength: 12 });
  fc.assert(
    fc.property(
      fc.array(word, { minLength: 1 }),
      fc.integer({ min: 6, max: 30 }),
      (words, width) => {
        const lines = wrap(words.join(" "), width, "  ").split("\n");
        expect(lines.flatMap((line) => line.trim().split(" "))).toEqual(words);
        for (const line of lines) {
          if (line.trim().includes(" ")) expect(line.length).toBeLessThanOrEqual(width);
        }
      },
    ),
  );
});
