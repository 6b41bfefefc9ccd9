/**
 * A design says which lock covers which step of the direct-map code, and where the flushes are.
 * The paths (`path/`) are the same for every design. Plain data: a user's design file has this
 * shape too (`design/read.ts`).
 */
export interface Design {
  readonly name: string;
  /** One line for a table. */
  readonly title: string;
  /** File, function, kernel version or mail this design was read from. */
  readonly source: string;
  readonly locks: Readonly<Record<string, Lock>>;
  /** The locks of each section, in the order they are taken: `"pgd_lock"`, `"init_mm:read"`. */
  readonly sections: Readonly<Record<Section, readonly string[]>>;
  readonly splitFlush: SplitFlush;
  /** Look again under the lock before deciding, before installing a new table. */
  readonly recheck: { readonly decide: boolean; readonly split: boolean };
  /** A split marks the PMD until its flush is done, and 4 KiB writers wait for that. */
  readonly splitMark: boolean;
  /** Requests that change only P and RW of an entry that is 4 KiB already skip `round`'s locks. */
  readonly skipRoundFor: "nothing" | "present-changes-of-4k";
  /** The direct map is made of 4 KiB entries from boot on. */
  readonly preSplit: boolean;
  /** set_memory_* flushes its range before it returns. */
  readonly finalFlush: boolean;
  /** What follows a request with CPA_COLLAPSE. */
  readonly collapse: "none" | "flush-then-free" | "free-then-flush" | "free-without-flush";
}

export interface Lock {
  readonly kind: "spinlock" | "mutex" | "rwlock" | "rwsem";
  /** One lock for all, or one for each 2 MiB. */
  readonly scope: "global" | "pmd";
  /** spin_lock_irqsave: this CPU answers no IPI while it waits for the lock or holds it. */
  readonly irqsOff: boolean;
}

/**
 * A stretch of the code that locks can cover. They nest:
 * request ⊃ change ⊃ round ⊃ decide, split, store; collapse ⊃ collapse2m.
 */
export type Section =
  /** change_page_attr_set_clr with its final flush. Only set_memory_*. */
  | "request"
  /** The same without the final flush. Only set_memory_*. */
  | "change"
  /** One round of __change_page_attr_set_clr; given up while a page-table page is allocated. */
  | "round"
  /** should_split_large_page. */
  | "decide"
  /** __split_large_page: look again, install the table. */
  | "split"
  /** The 4 KiB look-up and store. With a lock here the look-up is repeated under it. */
  | "store"
  /** cpa_collapse_large_pages with its flush and the freeing of tables. */
  | "collapse"
  /** collapse_pmd_page: scan, and set the PMD. */
  | "collapse2m";

export const SECTIONS: readonly Section[] = [
  "request",
  "change",
  "round",
  "decide",
  "split",
  "store",
  "collapse",
  "collapse2m",
];

export type SplitFlush =
  /** Before `split`'s locks are dropped. */
  | "in-split"
  /** After them, under `round`'s locks. */
  | "in-round"
  /** After `round`'s locks are dropped; they are then taken again. */
  | "after-round"
  | "none";

export const SPLIT_FLUSHES: readonly SplitFlush[] = ["in-split", "in-round", "after-round", "none"];

/** A lock as a section names it. */
export interface LockUse {
  readonly lock: string;
  readonly shared: boolean;
}

/** `"init_mm:read"` → the lock `init_mm`, taken for reading. */
export function parseLockUse(text: string): LockUse {
  const shared = text.endsWith(":read");
  return { lock: shared ? text.slice(0, -":read".length) : text, shared };
}

const SECTION_PARENT: Readonly<Record<Section, Section | undefined>> = {
  request: undefined,
  change: "request",
  round: "change",
  decide: "round",
  split: "round",
  store: "round",
  collapse: undefined,
  collapse2m: "collapse",
};

/** The section and those around it, outermost first. */
export function sectionsAround(section: Section): readonly Section[] {
  const parent = SECTION_PARENT[section];
  return parent === undefined ? [section] : [...sectionsAround(parent), section];
}
