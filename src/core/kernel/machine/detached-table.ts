import { assert } from "../../assert.ts";
import { PRESENT, tlbBit } from "../attributes.ts";
import { WALK_FREED } from "../law.ts";
import type { Findings } from "./findings.ts";
import { blockOf, type Layout } from "./layout.ts";

// A table that a collapse took out of the tree, until its CPU frees it. In that CPU's block, where
// tables are tracked:
//
//   +0  the pointer of the CPU's last look-up: POINTER_NONE, POINTER_CURRENT into the table that is
//       installed, 2+n into the one that was detached n detachments ago, POINTER_FREED
//   +1  age of the table this CPU detached, in the pointer's numbers; 0: none
//   +2  its content (all entries are equal, or it would not have been collapsed)
//   +3  observers whose paging-structure caches may still have the PMD entry that led to it
//
// Ages instead of names keep the state symmetric in the CPUs.

export const POINTER_NONE = 0;
export const POINTER_CURRENT = 1;
export const POINTER_FREED = 255;
const JUST_DETACHED = 2;

export function pointerOf(l: Layout, s: Uint8Array, cpu: number): number {
  if (l.pointer < 0) return POINTER_CURRENT;
  return s[blockOf(l, cpu) + l.pointer]!;
}

export function setPointer(l: Layout, s: Uint8Array, cpu: number, pointer: number): void {
  if (l.pointer >= 0) s[blockOf(l, cpu) + l.pointer] = pointer;
}

/** The table below `region` leaves the tree by this CPU's hand. */
export function detachTable(
  l: Layout,
  s: Uint8Array,
  cpu: number,
  region: number,
  attributes: number,
): void {
  assert(l.pointer >= 0, "a machine with collapse tracks tables");
  for (let other = 0; other < l.setup.cpus; other += 1) {
    if (regionOfCpu(l, other) !== region) continue;
    const at = blockOf(l, other) + l.pointer;
    if (s[at]! >= POINTER_CURRENT && s[at] !== POINTER_FREED) s[at]! += 1;
    if (s[at + 1] !== 0) s[at + 1]! += 1;
  }
  const mine = blockOf(l, cpu) + l.pointer;
  s[mine + 1] = JUST_DETACHED;
  s[mine + 2] = attributes;
  s[mine + 3] = (1 << l.observers) - 1;
}

export function freeTable(
  l: Layout,
  f: Findings,
  s: Uint8Array,
  cpu: number,
  region: number,
): void {
  const mine = blockOf(l, cpu) + l.pointer;
  const age = s[mine + 1]!;
  assert(age !== 0, "only a detached table is freed");
  if (s[mine + 3] !== 0) f.broken |= WALK_FREED.bit;
  s[mine + 1] = 0;
  s[mine + 2] = 0;
  s[mine + 3] = 0;
  for (let other = 0; other < l.setup.cpus; other += 1) {
    const at = blockOf(l, other) + l.pointer;
    if (regionOfCpu(l, other) === region && s[at] === age) s[at] = POINTER_FREED;
  }
}

export function anyDetached(l: Layout, s: Uint8Array): boolean {
  for (let cpu = 0; cpu < l.setup.cpus; cpu += 1) {
    if (s[blockOf(l, cpu) + l.pointer + 1] !== 0) return true;
  }
  return false;
}

/** The entries of the table that a pointer leads to; undefined: freed since. */
export function contentOfDetached(
  l: Layout,
  s: Uint8Array,
  pointer: number,
  region: number,
): number | undefined {
  for (let cpu = 0; cpu < l.setup.cpus; cpu += 1) {
    const at = blockOf(l, cpu) + l.pointer;
    if (regionOfCpu(l, cpu) === region && s[at + 1] === pointer) return s[at + 2]! & 15;
  }
  return undefined;
}

/** A TLB whose CPU cached the old PMD entry still walks through a detached table. */
export function loadThroughDetached(l: Layout, s: Uint8Array, observer: number): void {
  const { cpus, pages, regions } = l.setup;
  for (let cpu = 0; cpu < cpus; cpu += 1) {
    const mine = blockOf(l, cpu) + l.pointer;
    if (!(s[mine + 3]! & (1 << observer))) continue;
    const content = s[mine + 2]!;
    // A table of non-present entries gives the walker nothing to load.
    if (!(content & PRESENT)) continue;
    for (let page = regionOfCpu(l, cpu); page < pages; page += regions) {
      s[l.smallTlb[observer * pages + page]!]! |= tlbBit(content);
    }
  }
}

/** A flush drops the observer's paging-structure cache entries, whatever the address (SDM 4.10.4.1). */
export function forgetDetached(l: Layout, s: Uint8Array, observer: number): void {
  for (let cpu = 0; cpu < l.setup.cpus; cpu += 1) {
    s[blockOf(l, cpu) + l.pointer + 3]! &= ~(1 << observer);
  }
}

function regionOfCpu(l: Layout, cpu: number): number {
  return l.regionOfPage[l.pageOfCpu[cpu]!]!;
}
