import { expect, test } from "vitest";
import { inTerms } from "./page-table-terms.ts";

test("levels take the manuals' names, names of kernel functions stay", () => {
  const text = "__set_pmd_pte: PMD 0 and two PUDs below the PGD, and PTE 1";
  expect(inTerms(text, "linux")).toBe(text);
  expect(inTerms(text, "amd")).toBe(
    "__set_pmd_pte: PDE 0 and two PDPEs below the PML4E, and PTE 1",
  );
  expect(inTerms(text, "intel")).toBe(
    "__set_pmd_pte: PDE 0 and two PDPTEs below the PML4E, and PTE 1",
  );
});
