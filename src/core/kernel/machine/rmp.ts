import { PRESENT, WRITABLE } from "../attributes.ts";
import {
  ASSIGNED_UNDER_LARGE,
  ASSIGNED_UNDER_STALE,
  NOT_VALIDATED,
  VALIDATED_UNASSIGNED,
} from "../law.ts";
import { RMP_FAIL_OVERLAP, RMP_FAIL_SIZEMISMATCH, RMP_OK } from "../operation.ts";
import type { Findings } from "./findings.ts";
import { ASSIGNED, type Layout, TABLE, VALIDATED } from "./layout.ts";

/** RMPUPDATE of one 4 KiB page, which clears Validated whatever it does else. */
export function rmpupdate(
  l: Layout,
  s: Uint8Array,
  page: number,
  region: number,
  assign: number,
): number {
  if (s[l.rmpLarge[region]!]) return RMP_FAIL_OVERLAP;
  s[l.rmp[page]!] = assign ? ASSIGNED : 0;
  return RMP_OK;
}

/** Smashing what another vCPU has smashed already is harmless: Validated stays. */
export function psmash(l: Layout, s: Uint8Array, region: number): number {
  s[l.rmpLarge[region]!] = 0;
  return RMP_OK;
}

export function pvalidate(
  l: Layout,
  f: Findings,
  s: Uint8Array,
  page: number,
  region: number,
  valid: number,
): number {
  if (s[l.rmpLarge[region]!]) return RMP_FAIL_SIZEMISMATCH;
  const at = l.rmp[page]!;
  if (!(s[at]! & ASSIGNED)) f.broken |= VALIDATED_UNASSIGNED.bit;
  s[at] = valid ? s[at]! | VALIDATED : s[at]! & ~VALIDATED;
  return RMP_OK;
}

export function guestAccess(l: Layout, f: Findings, s: Uint8Array, page: number): void {
  const usable = ASSIGNED | VALIDATED;
  if ((s[l.rmp[page]!]! & usable) !== usable) f.broken |= NOT_VALIDATED.bit;
}

/** The laws R8, for a page. `large`: what a TLB may hold of it in sizes above 4 KiB. */
export function judgeRmp(l: Layout, f: Findings, s: Uint8Array, page: number, large: number): void {
  if (!(s[l.rmp[page]!]! & ASSIGNED)) return;
  const region = l.regionOfPage[page]!;
  // Assigned as a whole: the host writes to none of the 512 pages.
  if (l.setup.rmp === "guest-2m" && !anyUnassigned(l, s, region)) return;
  const pud = l.pud >= 0 ? s[l.pud]! : TABLE;
  const entry = pud & TABLE ? s[l.pmd[region]!]! : pud;
  if (!(entry & TABLE) && entry & WRITABLE && entry & PRESENT) {
    f.broken |= ASSIGNED_UNDER_LARGE.bit;
  }
  if (large & WRITABLE_TLB_SET) f.broken |= ASSIGNED_UNDER_STALE.bit;
}

/** TLB-set bits whose attributes have RW. */
const WRITABLE_TLB_SET = 0b10101010;

function anyUnassigned(l: Layout, s: Uint8Array, region: number): boolean {
  for (let page = region; page < l.setup.pages; page += l.setup.regions) {
    if (!(s[l.rmp[page]!]! & ASSIGNED)) return true;
  }
  return false;
}
