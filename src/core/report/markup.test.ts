import fc from "fast-check";
import { expect, test } from "vitest";
import { HOSTILE } from "../../../test/fixtures/investigate.ts";
import { element, escapeMarkup, group, markupText } from "./markup.ts";

const anyText = fc.oneof(
  fc.string({ unit: "binary" }),
  fc.constantFrom(...HOSTILE),
  fc.string({ unit: fc.constantFrom("<", ">", "&", '"', "'", "]", "a") }),
);

test("no text can open a tag, an entity of its own, or leave a quoted attribute", () => {
  fc.assert(
    fc.property(anyText, (text) => {
      const safe = escapeMarkup(text);
      expect(safe).not.toMatch(/[<>"']/);
      expect(safe.replaceAll(/&(?:amp|lt|gt|quot|#39);/g, "")).not.toContain("&");
    }),
  );
});

test("strings are escaped wherever they enter, markup is not escaped again", () => {
  const inner = element("code", { title: '"><script>' }, "<b>");
  expect(markupText(element("p", {}, "a & b ", inner))).toBe(
    '<p>a &amp; b <code title="&quot;&gt;&lt;script&gt;">&lt;b&gt;</code></p>',
  );
});

test("numbers are rounded, what is undefined is left out, empty shapes are closed", () => {
  const rect = element("rect", { x: 1 / 3, class: undefined });
  expect(markupText(rect)).toBe('<rect x="0.33"/>');
  expect(markupText(group(rect, undefined, "x"))).toBe('<rect x="0.33"/>\nx');
});
