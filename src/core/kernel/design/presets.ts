import type { Design, Lock } from "../design.ts";

// The designs come one file each would be tidy, but they differ in a line or two from the one
// before; side by side the differences can be read. Pseudo-code of each version: facts of the
// kernel, docs/check.md.

const spinlock: Lock = { kind: "spinlock", scope: "global", irqsOff: false };
const perPmd: Lock = { kind: "spinlock", scope: "pmd", irqsOff: false };
const rwsem: Lock = { kind: "rwsem", scope: "global", irqsOff: false };
const rwlock: Lock = { kind: "rwlock", scope: "global", irqsOff: false };

const noLocks: Design["sections"] = {
  request: [],
  change: [],
  round: [],
  decide: [],
  split: [],
  store: [],
  collapse: [],
  collapse2m: [],
};

/** cpa_lock around each round, pgd_lock around the decision and around install and flush. */
export const linux420: Design = {
  name: "linux-4.20",
  title: "4.20-6.14: cpa_lock; split flushes inside pgd_lock",
  source: "arch/x86/mm/pat/set_memory.c, v4.20-v6.14; flush moved by c0a759abf5a6 (2018)",
  locks: { cpa_lock: spinlock, pgd_lock: spinlock },
  sections: { ...noLocks, round: ["cpa_lock"], decide: ["pgd_lock"], split: ["pgd_lock"] },
  splitFlush: "in-split",
  recheck: { decide: true, split: true },
  splitMark: false,
  skipRoundFor: "nothing",
  preSplit: false,
  finalFlush: true,
  collapse: "none",
};

export const noCpaLock: Design = {
  ...linux420,
  name: "no-cpa-lock",
  title: "4.20-6.14 without cpa_lock (posted December 2022)",
  source: "lore 20221222013330.831474-1-jackyli@google.com; LPC 2022 talk",
  locks: { pgd_lock: spinlock },
  sections: { ...linux420.sections, round: [] },
};

export const linux2627: Design = {
  ...noCpaLock,
  name: "linux-2.6.27",
  title: "2.6.27: no cpa_lock, no flush after a split",
  source: "arch/x86/mm/pageattr.c before ad5ca55f6bdb (2008)",
  splitFlush: "none",
};

export const linux2628: Design = {
  ...linux420,
  name: "linux-2.6.28",
  title: "2.6.28-4.19: cpa_lock; split flushes after pgd_lock",
  source: "arch/x86/mm/pageattr.c, ad5ca55f6bdb (2008) to v4.19",
  splitFlush: "in-round",
};

export const linux2628NoCpaLock: Design = {
  ...linux2628,
  name: "linux-2.6.28-no-cpa-lock",
  title: "2.6.28-4.19 without cpa_lock",
  source: "derived",
  locks: { pgd_lock: spinlock },
  sections: { ...linux2628.sections, round: [] },
};

export const linux615: Design = {
  ...linux420,
  name: "linux-6.15",
  title: "6.15-7.2: as 4.20, and collapse under pgd_lock alone",
  source: "arch/x86/mm/pat/set_memory.c, 41d88484c71c (6.15) to v7.2",
  sections: { ...linux420.sections, collapse2m: ["pgd_lock"] },
  collapse: "flush-then-free",
};

export const linux615NoCpaLock: Design = {
  ...linux615,
  name: "linux-6.15-no-cpa-lock",
  title: "6.15-7.2 without cpa_lock",
  source: "derived",
  locks: { pgd_lock: spinlock },
  sections: { ...linux615.sections, round: [] },
};

export const collapseUnderCpaLock: Design = {
  ...linux615,
  name: "fix-2026-07",
  title: "July 2026: collapse, its flush and freeing under cpa_lock",
  source: "tip x86/mm 1aac65f3e651",
  sections: { ...linux615.sections, collapse: ["cpa_lock"] },
};

export const linux73: Design = {
  ...collapseUnderCpaLock,
  name: "linux-7.3",
  title: "August 2026: init_mm read for changes, write for collapse",
  source: "tip x86/mm 477cf5cd1f69, be4f4ab413d1; kernelci/linux @bf134a7f64ec",
  locks: { init_mm: rwsem, cpa_lock: spinlock, pgd_lock: spinlock },
  sections: {
    ...collapseUnderCpaLock.sections,
    change: ["init_mm:read"],
    collapse: ["init_mm", "cpa_lock"],
  },
};

export const linux73ReadOverFlush: Design = {
  ...linux73,
  name: "linux-7.3-read-over-flush",
  title: "7.3, init_mm read lock kept over the final flush",
  source: "derived: closes the hole of linux-7.3",
  sections: { ...linux73.sections, request: ["init_mm:read"], change: [] },
};

export const initMmOnly: Design = {
  ...linux73,
  name: "linux-7.3-no-cpa-lock",
  title: "7.3 without cpa_lock",
  source: "derived",
  locks: { init_mm: rwsem, pgd_lock: spinlock },
  sections: { ...linux73.sections, round: [], collapse: ["init_mm"] },
};

export const perPmdSplit: Design = {
  ...noCpaLock,
  name: "per-pmd-split-only",
  title: "no cpa_lock; a lock for each PMD taken by splits alone",
  source: "LPC 2022 talk: pgd_lock is next",
  locks: { pmd_lock: perPmd },
  sections: { ...noLocks, decide: ["pmd_lock"], split: ["pmd_lock"] },
};

export const perPmdAll: Design = {
  ...perPmdSplit,
  name: "per-pmd-lock",
  title: "no cpa_lock; a lock for each PMD taken by 4K writers too",
  source: "derived",
  sections: { ...perPmdSplit.sections, store: ["pmd_lock"] },
};

export const skipPresent: Design = {
  ...linux420,
  name: "skip-for-present",
  title: "4.20; P changes of an entry already 4K skip cpa_lock",
  source: "derived: removes the talk's contention and keeps the lock for the rest",
  skipRoundFor: "present-changes-of-4k",
};

export const splitMark: Design = {
  ...noCpaLock,
  name: "split-mark",
  title: "no cpa_lock; PMD bit 'split in progress', 4K writers wait",
  source: "derived",
  splitFlush: "in-round",
  splitMark: true,
};

export const readerWriter: Design = {
  ...noCpaLock,
  name: "reader-writer",
  title: "4K store reads, split with its flush writes one rwlock",
  source: "derived",
  locks: { cpa_rwlock: rwlock, pgd_lock: spinlock },
  sections: {
    ...noLocks,
    decide: ["pgd_lock"],
    split: ["cpa_rwlock", "pgd_lock"],
    store: ["cpa_rwlock:read"],
  },
};

export const preSplit: Design = {
  ...noCpaLock,
  name: "pre-split",
  title: "no cpa_lock; direct map of 4K entries from boot on",
  source: "derived; AMD measured 12.9 against 8.0 GB/s page-in (January 2024 mail)",
  preSplit: true,
};

export const irqsOff2008: Design = {
  ...linux420,
  name: "pgd-lock-irqsave",
  title: "4.20 with spin_lock_irqsave(pgd_lock), as before September 2008",
  source: "lkml.org/lkml/2008/9/23/383, patch 1",
  locks: { cpa_lock: spinlock, pgd_lock: { ...spinlock, irqsOff: true } },
};

/** Wrong on purpose: each must be caught, or the checker is not looking. */
export const MUTANTS: readonly Design[] = [
  {
    ...linux420,
    name: "mutant-flush-after-cpa-lock",
    title: "mutant: split flushes after cpa_lock is dropped",
    source: "mutant",
    splitFlush: "after-round",
  },
  {
    ...linux420,
    name: "mutant-no-recheck",
    title: "mutant: no second look-up under pgd_lock",
    source: "mutant",
    recheck: { decide: false, split: false },
  },
  {
    ...linux420,
    name: "mutant-no-final-flush",
    title: "mutant: set_memory returns without a flush",
    source: "mutant",
    finalFlush: false,
  },
  {
    ...linux73ReadOverFlush,
    name: "mutant-free-before-flush",
    title: "mutant: collapse frees the table before the flush",
    source: "mutant",
    collapse: "free-then-flush",
  },
  {
    ...linux420,
    name: "mutant-lock-order",
    title: "mutant: splits take pgd_lock, then cpa_lock",
    source: "mutant",
    sections: {
      ...linux420.sections,
      round: [],
      split: ["pgd_lock", "cpa_lock"],
      store: ["cpa_lock", "pgd_lock"],
    },
  },
];

/** In the order of the verdict table. */
export const DESIGNS: readonly Design[] = [
  linux2627,
  linux2628,
  linux2628NoCpaLock,
  linux420,
  noCpaLock,
  linux615,
  linux615NoCpaLock,
  collapseUnderCpaLock,
  linux73,
  linux73ReadOverFlush,
  initMmOnly,
  perPmdSplit,
  perPmdAll,
  skipPresent,
  splitMark,
  readerWriter,
  preSplit,
];

/** Every shipped design and mutant by name. */
export const DESIGN_BY_NAME: ReadonlyMap<string, Design> = new Map(
  [...DESIGNS, irqsOff2008, ...MUTANTS].map((d) => [d.name, d]),
);
