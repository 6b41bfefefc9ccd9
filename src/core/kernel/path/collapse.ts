import { ENTRY_IS_TABLE, NOT_EQUAL, type Path } from "../operation.ts";
import { enter, flushTlb, type Kernel, leave } from "./section.ts";

/**
 * cpa_collapse_large_pages (6.15+): make one 2 MiB entry of 512 equal ones, flush, free the table.
 *
 * The scan is one step here: the kernel reads 512 entries one after the other. What a slower scan
 * could add is a table that was never equal at one instant; every such run has a store between
 * scan and set, which this model sees as a lost update already. SPIN's model scans entry by entry
 * and agrees (test/check/promela.ts).
 */
export function* collapseLargePages(kernel: Kernel, live: readonly number[] = []): Path {
  const { design } = kernel;
  if (design.collapse === "none") return;
  const outer = "cpa_collapse_large_pages";
  yield* enter(kernel, "collapse", outer, live);
  const fn = "collapse_pmd_page";
  yield* enter(kernel, "collapse2m", fn, live);
  const detached = yield* collapsePmdPage(live);
  yield* leave(kernel, "collapse2m", fn, [detached, ...live]);
  if (detached) {
    const what = "free the old table";
    if (design.collapse === "free-then-flush") yield { op: "freeTable", fn: outer, what, live };
    if (design.collapse !== "free-without-flush")
      yield* flushTlb(kernel, "all", outer, "flush_tlb_all", live);
    if (design.collapse !== "free-then-flush") yield { op: "freeTable", fn: outer, what, live };
  }
  yield* leave(kernel, "collapse", outer, live);
}

function* collapsePmdPage(live: readonly number[]): Path<number> {
  const fn = "collapse_pmd_page";
  const pmd = yield { op: "readEntry", level: "pmd", fn, what: "read PMD", live };
  if (pmd < ENTRY_IS_TABLE) return 0;
  const attributes = yield { op: "scanPtes", fn, what: "512 PTEs present and equal?", live };
  if (attributes === NOT_EQUAL) return 0;
  const what = "set the 2M entry, queue the table";
  yield {
    op: "writeLarge",
    level: "pmd",
    attributes,
    collapse: true,
    set: 0,
    clear: 0,
    fn,
    what,
    live,
  };
  return 1;
}
