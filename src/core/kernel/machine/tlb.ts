import { PRESENT, tlbBit } from "../attributes.ts";
import { DIFFERENT_ACCESS, DIFFERENT_TYPE, DUPLICATE } from "../law.ts";
import { forgetDetached } from "./detached-table.ts";
import type { Findings } from "./findings.ts";
import { blockOf, type Layout, TABLE } from "./layout.ts";

// A TLB is a *may-cache*: the set of all translations it may hold, by size. A CPU loads whatever
// is reachable at any time, keeps it as long as it likes, and a non-present entry is never cached.
// Loading only adds behaviour, and every law asks whether *some* held subset is bad, so the full
// set is exact. One such observer stands for all CPUs, since kernel mappings are global and all
// flushes reach all CPUs; `flush: "ipi"` gives each CPU its own, to test just that.

/** The observer loads all that the tables reach. */
export function loadTlb(l: Layout, s: Uint8Array, observer: number): void {
  const { pages, regions } = l.setup;
  if (l.pud >= 0 && !(s[l.pud]! & TABLE)) {
    s[l.hugeTlb[observer]!]! |= tlbBit(s[l.pud]!);
    return;
  }
  for (let region = 0; region < regions; region += 1) {
    const pmd = s[l.pmd[region]!]!;
    if (!(pmd & TABLE)) {
      if (pmd & PRESENT) s[l.largeTlb[observer * regions + region]!]! |= tlbBit(pmd);
      continue;
    }
    for (let page = region; page < pages; page += regions) {
      const pte = s[l.pte[page]!]!;
      if (pte & PRESENT) s[l.smallTlb[observer * pages + page]!]! |= tlbBit(pte & 15);
    }
  }
}

/** The laws C1: two translations of one address by sizes, as sets of attributes. */
export function judgeSizes(f: Findings, one: number, other: number): void {
  f.tested.bothSizes += 1;
  f.broken |= DUPLICATE.bit;
  const both = one | other;
  if ((both & (both - 1)) === 0) return;
  // Bit 2 of a TLB set's index is the memory type: the high half of the byte is uncached.
  const types = (one & 0xf0 && other & 0x0f) || (one & 0x0f && other & 0xf0);
  if (types) f.broken |= DIFFERENT_TYPE.bit;
  // Sets of more than one: some pair differs, in access if the types leave no other way.
  const access = withoutType(one) | withoutType(other);
  if ((access & (access - 1)) !== 0) f.broken |= DIFFERENT_ACCESS.bit;
}

const withoutType = (set: number) => (set | (set >> 4)) & 0x0f;

/** All that the observer may hold for a page, of any size. */
export function heldFor(l: Layout, s: Uint8Array, observer: number, page: number): number {
  const { pages, regions } = l.setup;
  return (
    s[l.smallTlb[observer * pages + page]!]! |
    s[l.largeTlb[observer * regions + l.regionOfPage[page]!]!]! |
    (l.pud >= 0 ? s[l.hugeTlb[observer]!]! : 0)
  );
}

/** @param all  1: everything; 0: `page` */
export function flushTlb(
  l: Layout,
  f: Findings,
  s: Uint8Array,
  observer: number,
  all: number,
  page: number,
): void {
  const { pages, regions } = l.setup;
  let held = 0;
  for (let p = 0; p < pages; p += 1) {
    if (!all && p !== page) continue;
    const at = l.smallTlb[observer * pages + p]!;
    held |= s[at]!;
    s[at] = 0;
  }
  // INVLPG of an address drops every fragment of the large page around it (SDM 4.10.4.1).
  for (let r = 0; r < regions; r += 1) {
    if (all || r === l.regionOfPage[page]) s[l.largeTlb[observer * regions + r]!] = 0;
  }
  if (l.pud >= 0) s[l.hugeTlb[observer]!] = 0;
  if (held) f.tested.flushCleared += 1;
  if (l.pointer >= 0) forgetDetached(l, s, observer);
}

/** Flushes the CPU's own TLB and interrupts all others. */
export function sendFlush(
  l: Layout,
  f: Findings,
  s: Uint8Array,
  cpu: number,
  all: number,
  page: number,
): void {
  flushTlb(l, f, s, cpu, all, page);
  setUnanswered(l, s, cpu, ((1 << l.setup.cpus) - 1) & ~(1 << cpu));
}

/** CPUs that have not answered this CPU's flush yet, as a mask. */
export function unanswered(l: Layout, s: Uint8Array, cpu: number): number {
  const at = blockOf(l, cpu) + l.ipi;
  return s[at]! | (s[at + 1]! << 8);
}

export function setUnanswered(l: Layout, s: Uint8Array, cpu: number, mask: number): void {
  const at = blockOf(l, cpu) + l.ipi;
  s[at] = mask & 255;
  s[at + 1] = mask >> 8;
}
