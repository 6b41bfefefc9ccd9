import { PRESENT } from "../attributes.ts";
import { LOST_UPDATE, NO_EFFECT, STALE_AT_RETURN, STALE_UNCHANGED } from "../law.ts";
import { loadThroughDetached } from "./detached-table.ts";
import type { Findings } from "./findings.ts";
import type { Layout } from "./layout.ts";
import { attributesOf } from "./page-table.ts";
import { judgeRmp } from "./rmp.ts";
import { heldFor, judgeSizes, loadTlb } from "./tlb.ts";

/** After a change of tables or TLBs: every TLB loads all it can, then the laws of states. */
export function settle(l: Layout, f: Findings, s: Uint8Array): void {
  const { pages, regions } = l.setup;
  for (let page = 0; page < pages; page += 1) {
    const asked = s[l.pte[page]!]! >> 4;
    if (attributesOf(l, s, page) !== asked) f.broken |= LOST_UPDATE.bit;
  }
  for (let o = 0; o < l.observers; o += 1) {
    loadTlb(l, s, o);
    if (l.pointer >= 0) loadThroughDetached(l, s, o);
    const huge = l.pud >= 0 ? s[l.hugeTlb[o]!]! : 0;
    for (let page = 0; page < pages; page += 1) {
      const small = s[l.smallTlb[o * pages + page]!]!;
      const large = s[l.largeTlb[o * regions + l.regionOfPage[page]!]!]!;
      if (small !== 0 && (large | huge) !== 0) judgeSizes(f, small, large | huge);
      if (huge !== 0 && large !== 0) judgeSizes(f, huge, large);
      if (l.rmp[page]! >= 0) judgeRmp(l, f, s, page, large | huge);
    }
  }
}

/** The laws of a request that returns: C3-effect, C4. `change`: see `changeByte`. */
export function judgeReturn(
  l: Layout,
  f: Findings,
  s: Uint8Array,
  page: number,
  how: number,
  change: number,
): void {
  const judged = ~(l.setup.contested?.[page] ?? 0);
  const set = change & judged & 15;
  const clear = (change >> 4) & judged;
  const now = attributesOf(l, s, page);
  if ((now & clear) !== 0 || (now & set) !== set) f.broken |= NO_EFFECT.bit;
  if (!(how & RETURNS_FLUSHED)) return;
  f.tested.returnFlushed += 1;
  const contradicting = contradictingSet(set, clear);
  for (let o = 0; o < l.observers; o += 1) {
    if ((heldFor(l, s, o, page) & contradicting) === 0) continue;
    f.broken |= how & RETURNS_CHANGED ? STALE_AT_RETURN.bit : STALE_UNCHANGED.bit;
  }
}

const RETURNS_FLUSHED = 1;
const RETURNS_CHANGED = 2;

/** The TLB-set bits of translations that a request does not allow any more. */
function contradictingSet(set: number, clear: number): number {
  if (clear & PRESENT) return 0xff;
  let bits = 0;
  for (let index = 0; index < 8; index += 1) {
    const attributes = (index << 1) | PRESENT;
    if (attributes & clear || (attributes & set) !== set) bits |= 1 << index;
  }
  return bits;
}
