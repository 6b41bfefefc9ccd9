// The commands in pages of docs/ that load this machine run.
import { expect, test } from "vitest";
import { docPages, failuresOf } from "../cli/doc-pages.ts";
import { needs } from "../needs.ts";

const loading = docPages.filter((page) => page.needs.length > 0);

test.for(loading)("the commands of $name run", (page, context) => {
  const missing = needs(...page.needs);
  if (missing) return context.skip(missing);
  expect(failuresOf(page)).toEqual([]);
});
