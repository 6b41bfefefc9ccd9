/** What a broken law means for the machine. */
export type Grade =
  /** Machine check, or memory that belongs to someone else is read or written. */
  | "fatal"
  /** The manuals do not say which translation is used; or a change is lost, or comes late. */
  | "undefined"
  /** Wrong, and harmless: a count, a leak. */
  | "benign"
  /** Not known to be wrong: no manual that we read settles it. Reported, never a verdict. */
  | "warning";

/** Something that must never be true of the state, or of a step. */
export interface Law {
  readonly id: string;
  readonly bit: number;
  readonly title: string;
  readonly grade: Grade;
  readonly source: string;
}

const law = (bit: number, id: string, grade: Grade, title: string, source: string): Law => ({
  bit: 1 << bit,
  id,
  grade,
  title,
  source,
});

// The bit of a law is the machine's way to say, at full speed, which laws a step broke.
export const DIFFERENT_TYPE = law(
  0,
  "C1-type",
  "fatal",
  "a TLB may hold a large and a small translation of one address with different memory types",
  "Intel TLB application note 317080; CVE-2018-12207 (iTLB multihit); tglx, lore 87y1qbjvrh.ffs@tglx",
);
export const DIFFERENT_ACCESS = law(
  1,
  "C1-access",
  "undefined",
  "a TLB may hold a large and a small translation of one address with different access rights",
  "TLB application note of 2007, quoted in ad5ca55f6bdb and in set_memory.c; SDM vol 3A 4.10.2.3",
);
export const DUPLICATE = law(
  2,
  "C1-duplicate",
  "fatal",
  "a TLB may hold a large and a small translation of one address",
  "AMD erratum 383 (family 10h, revision guide 41322): TLB multi-match",
);
export const STORE_UNREACHABLE = law(
  3,
  "C2-store",
  "fatal",
  "a PTE is stored into a table that is no longer reachable, or freed",
  "docs/check.md, law C2; what tip 1aac65f3e651 (July 2026) fixes in collapse",
);
export const WALK_FREED = law(
  4,
  "C2-walk",
  "fatal",
  "a page walk, or a look-up, uses a page-table page that is freed",
  "docs/check.md, law C2; SDM vol 3A 4.10.4.1 (paging-structure caches)",
);
export const LOST_UPDATE = law(
  5,
  "C3-lost",
  "undefined",
  "the tables do not say what the last request of the page's owner asked for",
  "docs/check.md, law C3",
);
export const NO_EFFECT = law(
  6,
  "C3-effect",
  "undefined",
  "a request returns and the tables do not show it",
  "docs/check.md, law C3",
);
export const STALE_AT_RETURN = law(
  7,
  "C4-stale",
  "undefined",
  "a flushing request returns and a TLB may still hold a translation that contradicts it",
  "docs/check.md, law C4; what cpa_flush is for, arch/x86/mm/pat/set_memory.c",
);
export const TABLE_OVER_TABLE = law(
  8,
  "C6-table",
  "benign",
  "an entry is written over a table that nobody frees: direct_pages_count is wrong",
  "docs/check.md, law C6; split_page_count, arch/x86/mm/pat/set_memory.c",
);
export const LOCK_RULE = law(
  9,
  "C7-lock",
  "fatal",
  "a CPU sleeps under a spinlock, or returns with a lock held",
  "docs/check.md, law C7; split_large_page drops cpa_lock for alloc_pages(GFP_KERNEL)",
);
export const PAGE_RULE = law(
  10,
  "C8-page",
  "benign",
  "a page-table page is leaked, or freed twice",
  "docs/check.md, law C8; split_large_page frees what __split_large_page did not use",
);
export const ASSIGNED_UNDER_LARGE = law(
  11,
  "R8-table",
  "fatal",
  "a page belongs to a guest and a writable large direct-map entry covers it",
  "APM vol 2 15.36 (RMP checks of host writes); adjust_direct_map, arch/x86/virt/svm/sev.c v6.9",
);
export const ASSIGNED_UNDER_STALE = law(
  12,
  "R8-tlb",
  "warning",
  "a page belongs to a guest and a TLB may still hold a writable large translation of it",
  "docs/check.md, law R8; whether the hardware checks the RMP on a TLB hit is not verified",
);
export const NOT_VALIDATED = law(
  13,
  "R3-access",
  "fatal",
  "a guest touches a private page that is not assigned to it and validated (#NPF or #VC 0x404)",
  "APM vol 2 15.36.10; docs/check.md, law R3",
);
export const VALIDATED_UNASSIGNED = law(
  14,
  "R4-validated",
  "fatal",
  "a page that is not assigned to the guest is validated",
  "docs/check.md, law R4; APM vol 2 15.36 (PVALIDATE; RMPUPDATE clears Validated)",
);
export const DEADLOCK = law(
  15,
  "C7-deadlock",
  "fatal",
  "no CPU can go on, and not all are done",
  "docs/check.md, law C7; lkml.org/lkml/2008/9/23/383",
);
export const NO_PROGRESS = law(
  16,
  "C8-progress",
  "fatal",
  "from some state on, the CPUs can never finish",
  "docs/check.md, law C8",
);
export const STALE_UNCHANGED = law(
  17,
  "C4-early",
  "warning",
  "a flushing request finds its work done by another CPU and returns before that CPU's flush",
  "docs/check.md, law C4; only callers that share a page can see it, which asm/set_memory.h forbids",
);
export const IRQS_OFF_FLUSH = law(
  18,
  "C7-irqs",
  "warning",
  "a CPU sends a flush IPI, and waits for the answers, with interrupts off",
  "kernel/smp.c, smp_call_function_many: may deadlock; whether it does is C7-deadlock's to say",
);

export const LAWS: readonly Law[] = [
  DIFFERENT_TYPE,
  DIFFERENT_ACCESS,
  DUPLICATE,
  STORE_UNREACHABLE,
  WALK_FREED,
  LOST_UPDATE,
  NO_EFFECT,
  STALE_AT_RETURN,
  TABLE_OVER_TABLE,
  LOCK_RULE,
  PAGE_RULE,
  ASSIGNED_UNDER_LARGE,
  ASSIGNED_UNDER_STALE,
  NOT_VALIDATED,
  VALIDATED_UNASSIGNED,
  DEADLOCK,
  NO_PROGRESS,
  STALE_UNCHANGED,
  IRQS_OFF_FLUSH,
];

/** Which rule for two translations of one address holds: it decides most verdicts. */
export type TlbRule =
  /** Different attributes are undefined (application note of 2007, and the kernel's comment). */
  | "note-2007"
  /** Either translation may be used; different memory types stay undefined (today's SDM). */
  | "sdm-today"
  /** Two sizes for one address are an error even if they agree (AMD erratum 383). */
  | "erratum-383";

/** The laws whose violation is a verdict; the others are only reported. */
export function lawsUnder(rule: TlbRule): readonly Law[] {
  return LAWS.filter((l) => {
    if (l.grade === "warning") return false;
    if (l === DUPLICATE) return rule === "erratum-383";
    if (l === DIFFERENT_ACCESS) return rule !== "sdm-today";
    return true;
  });
}

/** Laws as one number, the way the machine reports them. */
export function bitsOf(laws: readonly Law[]): number {
  return laws.reduce((bits, l) => bits | l.bit, 0);
}
