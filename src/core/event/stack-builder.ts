import type { StackTable } from "./schema.ts";

/** Gives each distinct call stack a small number. */
export interface StackBuilder {
  /**
   * @param frames  string or frame numbers, innermost first; only the first `length` are read
   * @returns the stack's index
   */
  intern(frames: ArrayLike<number>, length: number): number;
  build(): StackTable;
}

export function stackBuilder(): StackBuilder {
  const offsets: number[] = [0];
  const all: number[] = [];
  // Stacks by hash; the few with the same hash are compared frame by frame.
  const byHash = new Map<number, number[]>();

  function intern(frames: ArrayLike<number>, length: number): number {
    let hash = length;
    for (let i = 0; i < length; i += 1) hash = (Math.imul(hash, 31) + frames[i]!) | 0;
    const candidates = byHash.get(hash) ?? [];
    byHash.set(hash, candidates);
    for (const index of candidates) if (same(index, frames, length)) return index;
    for (let i = 0; i < length; i += 1) all.push(frames[i]!);
    offsets.push(all.length);
    const index = offsets.length - 2;
    candidates.push(index);
    return index;
  }

  function same(index: number, frames: ArrayLike<number>, length: number): boolean {
    const start = offsets[index]!;
    if (offsets[index + 1]! - start !== length) return false;
    for (let i = 0; i < length; i += 1) if (all[start + i] !== frames[i]) return false;
    return true;
  }

  return {
    intern,
    build: () => ({ offsets: Uint32Array.from(offsets), frames: Uint32Array.from(all) }),
  };
}
