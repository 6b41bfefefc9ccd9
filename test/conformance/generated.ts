// Parts of documents that are made from the code, so that they cannot lag behind it.
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect } from "vitest";

/** The part between the two marks of a document must be this. UPDATE_GOLDEN=1 writes it. */
export function expectGenerated(document: string, part: string): void {
  const file = fileURLToPath(new URL(`../../${document}`, import.meta.url));
  const text = readFileSync(file, "utf8");
  const pattern = /(<!-- generated: begin[^>]*-->\n)[\s\S]*(<!-- generated: end -->)/;
  expect(text).toMatch(pattern);
  const wanted = text.replace(pattern, (_, begin, end) => `${begin}\n${part}\n${end}`);
  if (process.env.UPDATE_GOLDEN === "1") writeFileSync(file, wanted);
  else expect(text, "UPDATE_GOLDEN=1 rewrites it").toBe(wanted);
}
