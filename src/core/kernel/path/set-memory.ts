import { PRESENT, WRITABLE } from "../attributes.ts";
import { ENTRY_IS_MARKED_TABLE, ENTRY_IS_TABLE, type Level, type Path } from "../operation.ts";
import type { Request } from "../request.ts";
import { collapseLargePages } from "./collapse.ts";
import { enter, flushTlb, type Kernel, leave } from "./section.ts";

// arch/x86/mm/pat/set_memory.c, read in v4.18 (pageattr.c), v6.1, v6.12, v7.0. The control flow is
// the same in all; the design says which locks are taken and where the flush of a split is.

/** change_page_attr_set_clr: what every set_memory_*() ends in. */
export function* changePageAttrSetClr(
  kernel: Kernel,
  request: Request,
  pages: number,
): Path<number> {
  const fn = "change_page_attr_set_clr";
  yield { op: "work", fn: "vm_unmap_aliases", what: "purge lazily freed vmalloc areas" };
  yield* enter(kernel, "request", fn);
  yield* enter(kernel, "change", fn);
  const changed = yield* changePageAttrRounds(kernel, request, pages);
  yield* leave(kernel, "change", fn, [changed]);
  if (changed && kernel.design.finalFlush) {
    yield* flushTlb(
      kernel,
      request.scope === "page" ? "page" : "all",
      "cpa_flush",
      "flush the range",
    );
  }
  yield* leave(kernel, "request", fn, [changed]);
  if (changed && request.collapse) yield* collapseLargePages(kernel, [changed]);
  return changed;
}

/** __change_page_attr_set_clr: all pages of the request, each under its own lock round → changed. */
export function* changePageAttrRounds(
  kernel: Kernel,
  request: Request,
  pages: number,
): Path<number> {
  if (request.scope === "page") return yield* oneRound(kernel, request, "own", []);
  let changed = 0;
  for (let page = 0; page < pages; page += 1) {
    const done = yield* oneRound(kernel, request, page, [page, changed]);
    if (done) changed = 1;
    if (done === WHOLE_ENTRY) break;
  }
  return changed;
}

/** The round changed, or kept, the large entry that covers the rest of the request too. */
const WHOLE_ENTRY = 2;

function* oneRound(
  kernel: Kernel,
  request: Request,
  page: "own" | number,
  live: readonly number[],
): Path<number> {
  const fn = "__change_page_attr_set_clr";
  if (yield* storedWithoutLock(kernel, request, page, live)) return 1;
  yield* enter(kernel, "round", fn, live);
  const changed = yield* changePageAttr(kernel, request, page, live);
  yield* leave(kernel, "round", fn, [changed, ...live]);
  return changed;
}

/** Design "skip-for-present": an entry that is 4 KiB already needs no lock to change P and RW. */
function* storedWithoutLock(
  kernel: Kernel,
  request: Request,
  page: "own" | number,
  live: readonly number[],
): Path<boolean> {
  if (kernel.design.skipRoundFor === "nothing") return false;
  // Writing RW of a present entry is not a change of presence: only np and p qualify.
  if (((request.set | request.clear) & ~(PRESENT | WRITABLE)) !== 0) return false;
  if (((request.set | request.clear) & PRESENT) === 0) return false;
  const fn = "__change_page_attr_set_clr";
  const entry = yield {
    op: "readEntry",
    level: "pmd",
    fn,
    what: "look up, no lock: 4K already?",
    live,
  };
  if (entry < ENTRY_IS_TABLE) return false;
  const old = yield { op: "readPte", page, fn, what: "read PTE, no lock", live };
  const attributes = (old & ~request.clear) | request.set;
  const { set, clear } = request;
  // 1 also when nothing is left to change: the request is done.
  if (attributes !== old) {
    yield {
      op: "writePte",
      page,
      attributes,
      set,
      clear,
      fn,
      what: "set_pte_atomic, no lock",
      live,
    };
  }
  return true;
}

/** __change_page_attr → 0 nothing changed, 1 this page changed, 2 the whole large entry changed. */
function* changePageAttr(
  kernel: Kernel,
  request: Request,
  page: "own" | number,
  live: readonly number[],
): Path<number> {
  for (;;) {
    const { level, entry } = yield* lookupAddress(kernel, live);
    if (level === "4k") {
      const changed = yield* changePte(kernel, request, page, live);
      if (changed !== REPEAT) return changed;
      continue;
    }
    const at = kernel.pud ? [...live, level === "pud" ? 1 : 0] : live;
    const decision = yield* shouldSplitLargePage(kernel, request, level, entry, at);
    if (decision === DO_SPLIT) yield* splitLargePage(kernel, level, at);
    else return decision;
  }
}

const REPEAT = -1;
const DO_SPLIT = -2;

/** lookup_address: plain reads, no lock in any version. */
function* lookupAddress(
  kernel: Kernel,
  live: readonly number[],
): Path<{ level: "4k" | Level; entry: number }> {
  const fn = "lookup_address";
  if (kernel.pud) {
    const pud = yield { op: "readEntry", level: "pud", fn, what: "read PUD", live };
    if (pud < ENTRY_IS_TABLE) return { level: "pud", entry: pud };
  }
  const pmd = yield { op: "readEntry", level: "pmd", fn, what: "read PMD", live };
  if (pmd < ENTRY_IS_TABLE) return { level: "pmd", entry: pmd };
  if (pmd === ENTRY_IS_MARKED_TABLE) {
    yield { op: "awaitUnmarked", fn, what: "wait until the split has flushed", live };
  }
  return { level: "4k", entry: pmd };
}

/** The 4 KiB case of __change_page_attr. */
function* changePte(
  kernel: Kernel,
  request: Request,
  page: "own" | number,
  live: readonly number[],
): Path<number> {
  const fn = "__change_page_attr";
  const locked = kernel.design.sections.store.length > 0;
  yield* enter(kernel, "store", fn, live);
  if (locked) {
    const again = yield { op: "readEntry", level: "pmd", fn, what: "read PMD again, locked", live };
    if (again < ENTRY_IS_TABLE) {
      yield* leave(kernel, "store", fn, [REPEAT, ...live]);
      return REPEAT;
    }
  }
  const old = yield { op: "readPte", page, fn, what: "read PTE", live };
  const attributes = (old & ~request.clear) | request.set;
  const { set, clear } = request;
  const changed = attributes === old ? 0 : 1;
  if (changed) {
    yield { op: "writePte", page, attributes, set, clear, fn, what: "set_pte_atomic", live };
  }
  yield* leave(kernel, "store", fn, [changed, ...live]);
  return changed;
}

/** should_split_large_page: keep the entry, change it in place, or split it. */
function* shouldSplitLargePage(
  kernel: Kernel,
  request: Request,
  level: Level,
  seen: number,
  live: readonly number[],
): Path<number> {
  const fn = "should_split_large_page";
  if (request.forceSplit) return DO_SPLIT;
  const again = kernel.design.recheck.decide;
  yield* enter(kernel, "decide", fn, again ? live : [...live, seen]);
  const entry = again ? yield { op: "readEntry", level, fn, what: "look up again", live } : seen;
  const decision = decide(request, level, entry);
  if (decision === WHOLE_ENTRY) {
    const attributes = (entry & ~request.clear) | request.set;
    const { set, clear } = request;
    const what = "set the large entry in place";
    yield { op: "writeLarge", level, attributes, collapse: false, set, clear, fn, what, live };
  }
  yield* leave(kernel, "decide", fn, [decision, ...live]);
  return decision;
}

function decide(request: Request, level: Level, entry: number): number {
  // Another CPU has split it: say "split", and the split sees that it is done.
  if (entry >= ENTRY_IS_TABLE) return DO_SPLIT;
  const attributes = (entry & ~request.clear) | request.set;
  if (attributes === entry) return 0;
  return request.scope === "2M" && level === "pmd" ? WHOLE_ENTRY : DO_SPLIT;
}

/** split_large_page and __split_large_page. Enters and leaves with `round`'s locks held. */
function* splitLargePage(kernel: Kernel, level: Level, live: readonly number[]): Path {
  const { design } = kernel;
  const outer = "split_large_page";
  yield* leave(kernel, "round", outer, [...live, 0]);
  yield { op: "allocPage", maySleep: true, fn: outer, what: "alloc_pages(GFP_KERNEL)", live };
  yield* enter(kernel, "round", outer, live);

  const fn = "__split_large_page";
  yield* enter(kernel, "split", fn, live);
  const entry = yield { op: "readEntry", level, fn, what: "look up again", live };
  if (entry >= ENTRY_IS_TABLE && design.recheck.split) {
    yield* leave(kernel, "split", fn, [...live, 1]);
    yield { op: "freePage", fn: outer, what: "lost the race: free the unused page", live };
    return;
  }
  // Without the re-check the new table is filled from whatever the entry is taken to be.
  const attributes = entry < ENTRY_IS_TABLE ? entry : PAGE_KERNEL_ASSUMED;
  yield { op: "work", fn, what: "fill 512 entries", live: [...live, attributes] };
  const mark = design.splitMark && level === "pmd";
  yield {
    op: "installTable",
    level,
    attributes,
    mark,
    fn,
    what: "__set_pmd_pte: install the table",
    live,
  };
  if (design.splitFlush === "in-split")
    yield* flushTlb(kernel, "all", fn, "flush_tlb_all", [...live, 1]);
  yield* leave(kernel, "split", fn, [...live, 2]);
  if (design.splitFlush === "in-round") {
    yield* flushTlb(kernel, "all", outer, "flush_tlb_all, pgd_lock dropped", live);
  }
  if (design.splitFlush === "after-round") {
    yield* leave(kernel, "round", outer, [...live, 3]);
    yield* flushTlb(kernel, "all", outer, "flush_tlb_all, all locks dropped", live);
  }
  if (mark) yield { op: "clearMark", fn: outer, what: "clear the split mark", live };
  if (design.splitFlush === "after-round") yield* enter(kernel, "round", outer, [...live, 4]);
}

/** What a split without a second look writes over an entry that is a table by now. */
const PAGE_KERNEL_ASSUMED = 7;
