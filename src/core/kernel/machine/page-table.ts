import { PRESENT } from "../attributes.ts";
import { PAGE_RULE, STORE_UNREACHABLE, TABLE_OVER_TABLE, WALK_FREED } from "../law.ts";
import { ENTRY_IS_MARKED_TABLE, ENTRY_IS_TABLE, NOT_EQUAL } from "../operation.ts";
import {
  anyDetached,
  contentOfDetached,
  detachTable,
  POINTER_CURRENT,
  POINTER_FREED,
  POINTER_NONE,
  pointerOf,
  setPointer,
} from "./detached-table.ts";
import type { Findings } from "./findings.ts";
import { type Layout, MARK, TABLE } from "./layout.ts";

/** What the tables say for a page now. */
export function attributesOf(l: Layout, s: Uint8Array, page: number): number {
  if (l.pud >= 0 && !(s[l.pud]! & TABLE)) return s[l.pud]! & 15;
  const pmd = s[l.pmd[l.regionOfPage[page]!]!]!;
  return pmd & TABLE ? s[l.pte[page]!]! & 15 : pmd & 15;
}

export function readPud(l: Layout, s: Uint8Array): number {
  return s[l.pud]! & TABLE ? ENTRY_IS_TABLE : s[l.pud]! & 15;
}

/** A look-up that finds a table keeps a pointer into it. */
export function readPmd(l: Layout, s: Uint8Array, cpu: number, region: number): number {
  const pmd = s[l.pmd[region]!]!;
  if (!(pmd & TABLE)) {
    setPointer(l, s, cpu, POINTER_NONE);
    return pmd & 15;
  }
  setPointer(l, s, cpu, POINTER_CURRENT);
  return pmd & MARK ? ENTRY_IS_MARKED_TABLE : ENTRY_IS_TABLE;
}

/** Through the pointer of the last look-up. */
export function readPte(l: Layout, f: Findings, s: Uint8Array, cpu: number, page: number): number {
  const pointer = pointerOf(l, s, cpu);
  if (pointer === POINTER_FREED) f.broken |= WALK_FREED.bit;
  if (pointer === POINTER_CURRENT) return s[l.pte[page]!]! & 15;
  // A detached table keeps what it had: all entries equal, or the collapse lost an update.
  return contentOfDetached(l, s, pointer, l.regionOfPage[page]!) ?? 0;
}

/** Through the pointer of the last look-up. `change`: see `changeByte`. */
export function writePte(
  l: Layout,
  f: Findings,
  s: Uint8Array,
  cpu: number,
  page: number,
  attributes: number,
  change: number,
): void {
  if (pointerOf(l, s, cpu) !== POINTER_CURRENT) f.broken |= STORE_UNREACHABLE.bit;
  else if (l.pointer >= 0 && anyDetached(l, s)) f.tested.storeAfterDetach += 1;
  const at = l.pte[page]!;
  s[at] = (askedAfter(s[at]!, change) << 4) | attributes;
  setPointer(l, s, cpu, POINTER_NONE);
}

export function installPmdTable(
  l: Layout,
  f: Findings,
  s: Uint8Array,
  region: number,
  attributes: number,
  mark: number,
): void {
  const at = l.pmd[region]!;
  if (s[at]! & TABLE) f.broken |= TABLE_OVER_TABLE.bit;
  s[at] = TABLE | (mark ? MARK : 0);
  for (let page = region; page < l.setup.pages; page += l.setup.regions) {
    const pte = l.pte[page]!;
    s[pte] = (s[pte]! & 0xf0) | attributes;
  }
}

export function installPudTable(l: Layout, f: Findings, s: Uint8Array, attributes: number): void {
  if (s[l.pud]! & TABLE) f.broken |= TABLE_OVER_TABLE.bit;
  s[l.pud] = TABLE;
  for (const at of l.pmd) s[at] = attributes;
}

/** "Split in progress": design `splitMark`. */
export function clearMark(l: Layout, s: Uint8Array, region: number): void {
  s[l.pmd[region]!]! &= ~MARK;
}

export function isMarked(l: Layout, s: Uint8Array, region: number): boolean {
  return (s[l.pmd[region]!]! & MARK) !== 0;
}

/** A collapse takes the table away; a change in place is a change of every page below. */
export function writePmd(
  l: Layout,
  f: Findings,
  s: Uint8Array,
  cpu: number,
  region: number,
  attributes: number,
  collapse: number,
  change: number,
): void {
  const at = l.pmd[region]!;
  const table = (s[at]! & TABLE) !== 0;
  if (table && !collapse) f.broken |= TABLE_OVER_TABLE.bit;
  // Not the table that was scanned: that one is queued twice, or the one found here leaks.
  if (collapse && pointerOf(l, s, cpu) !== POINTER_CURRENT) {
    f.broken |= PAGE_RULE.bit;
    return;
  }
  s[at] = attributes;
  for (let page = region; page < l.setup.pages; page += l.setup.regions) {
    const pte = l.pte[page]!;
    s[pte] = askedAfter(s[pte]!, change) << 4;
  }
  if (table && collapse) detachTable(l, s, cpu, region, attributes);
}

/** All 4 KiB entries at one instant → their attributes, or NOT_EQUAL. */
export function scanPtes(l: Layout, s: Uint8Array, region: number): number {
  const { pages, regions } = l.setup;
  const first = s[l.pte[region]!]! & 15;
  if (!(first & PRESENT)) return NOT_EQUAL;
  for (let page = region; page < pages; page += regions) {
    if ((s[l.pte[page]!]! & 15) !== first) return NOT_EQUAL;
  }
  return first;
}

/** What a page's owner has asked for so far, and now asks for too. */
function askedAfter(pteByte: number, change: number): number {
  return ((pteByte >> 4) & ~(change >> 4)) | (change & 15);
}
