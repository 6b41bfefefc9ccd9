import type { Design } from "../design.ts";
import { noCpaLock } from "./no-cpa-lock.ts";

/**
 * no-cpa-lock, and a software bit in the PMD from the install of a table until its flush is done;
 * who finds it set waits. Writers of 4 KiB entries then wait for the flush and for nothing else.
 *
 * check: safe for callers with pages of their own, in every column. Callers that share a page, which
 * asm/set_memory.h forbids, lose updates (C3): nothing orders two writers of one PTE.
 */
export const splitMark: Design = {
  ...noCpaLock,
  name: "split-mark",
  title: "no cpa_lock; PMD bit 'split in progress', 4K writers wait",
  source: "derived",
  splitFlush: "in-round",
  splitMark: true,
};
