import type { Layout } from "./layout.ts";

// A lock's byte: 0 free, 255 held by one, otherwise how many readers hold it. A lock of scope "pmd"
// has a byte for each region.

const EXCLUSIVE = 255;

/** @returns false when the CPU has to wait */
export function takeLock(l: Layout, s: Uint8Array, lock: number, region: number): boolean {
  const at = lockByte(l, lock, region);
  if (s[at] !== 0) return false;
  s[at] = EXCLUSIVE;
  return true;
}

/** @returns false when the CPU has to wait */
export function takeLockShared(l: Layout, s: Uint8Array, lock: number, region: number): boolean {
  const at = lockByte(l, lock, region);
  if (s[at] === EXCLUSIVE) return false;
  s[at] = s[at]! + 1;
  return true;
}

export function dropLock(l: Layout, s: Uint8Array, lock: number, region: number): void {
  s[lockByte(l, lock, region)] = 0;
}

export function dropLockShared(l: Layout, s: Uint8Array, lock: number, region: number): void {
  s[lockByte(l, lock, region)]! -= 1;
}

/** How a lock is held: by how many readers, or by one for itself. */
export function holderOf(
  l: Layout,
  s: Uint8Array,
  lock: number,
  region: number,
): number | "exclusive" {
  const held = s[lockByte(l, lock, region)]!;
  return held === EXCLUSIVE ? "exclusive" : held;
}

function lockByte(l: Layout, lock: number, region: number): number {
  return l.lock[lock]! + (l.lockPerPmd[lock] ? region : 0);
}
