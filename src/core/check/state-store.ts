/**
 * All states seen, stored exactly: a table that keeps only hashes loses states without a word (SPIN
 * did so on this very model), and then "every interleaving" would be a lie.
 *
 * States are equal-sized rows of 32-bit words in chunks that never move, and an open-addressing
 * index over them. Insertion order is the breadth-first queue. Each row has one more word: the
 * state it was reached from. A slot of the index is two words, hash and row: most rows that are
 * not the one looked for are never touched, and a larger index is filled from the smaller one in
 * order, without a look at the rows. For 5 CPUs: 24 bytes of state + 4 + 11 to 21 of index.
 */
export class StateStore {
  readonly #words: number;
  readonly #row: number;
  #chunks: Uint32Array[] = [];
  /** By slot: hash, and row number + 1; 0 where the slot is free. */
  #slots = new Int32Array(2 << 12);
  #mask = (1 << 12) - 1;
  count = 0;

  constructor(words: number) {
    this.#words = words;
    this.#row = words + 1;
  }

  /** Bytes held now. */
  get bytes(): number {
    return this.#chunks.length * CHUNK_ROWS * this.#row * 4 + this.#slots.byteLength;
  }

  /** Bytes held while one more state is added at the worst: the index doubles. */
  get bytesNeeded(): number {
    return this.bytes + this.#slots.byteLength * 2;
  }

  /** The index of a state, which is added if it is new: compare `count` before and after. */
  add(state: Uint32Array, from: number): number {
    const words = this.#words;
    const slots = this.#slots;
    const mask = this.#mask;
    const h = hash(state, words);
    let slot = h & mask;
    for (;;) {
      const row = slots[2 * slot + 1]! - 1;
      if (row < 0) break;
      if (slots[2 * slot] === h && this.#equals(row, state)) return row;
      slot = (slot + 1) & mask;
    }
    const index = this.count;
    slots[2 * slot] = h;
    slots[2 * slot + 1] = index + 1;
    if ((index & (CHUNK_ROWS - 1)) === 0) {
      this.#chunks.push(new Uint32Array(CHUNK_ROWS * this.#row));
    }
    const chunk = this.#chunks[index >> CHUNK_BITS]!;
    const at = (index & (CHUNK_ROWS - 1)) * this.#row;
    for (let i = 0; i < words; i += 1) chunk[at + i] = state[i]!;
    chunk[at + words] = from;
    this.count = index + 1;
    // Three quarters full.
    if (this.count * 4 > (mask + 1) * 3) this.#enlarge();
    return index;
  }

  /** The index of a state that is stored, or -1. */
  find(state: Uint32Array): number {
    const h = hash(state, this.#words);
    for (let slot = h & this.#mask; ; slot = (slot + 1) & this.#mask) {
      const row = this.#slots[2 * slot + 1]! - 1;
      if (row < 0) return -1;
      if (this.#slots[2 * slot] === h && this.#equals(row, state)) return row;
    }
  }

  load(index: number, into: Uint32Array): void {
    const chunk = this.#chunks[index >> CHUNK_BITS]!;
    const at = (index & (CHUNK_ROWS - 1)) * this.#row;
    for (let i = 0; i < this.#words; i += 1) into[i] = chunk[at + i]!;
  }

  from(index: number): number {
    return this.#chunks[index >> CHUNK_BITS]![
      (index & (CHUNK_ROWS - 1)) * this.#row + this.#words
    ]!;
  }

  #equals(index: number, state: Uint32Array): boolean {
    const chunk = this.#chunks[index >> CHUNK_BITS]!;
    const at = (index & (CHUNK_ROWS - 1)) * this.#row;
    for (let i = 0; i < this.#words; i += 1) if (chunk[at + i] !== state[i]) return false;
    return true;
  }

  // Old slots in order have new homes in two rising runs: memory is walked, not jumped about in.
  #enlarge(): void {
    const old = this.#slots;
    const slots = new Int32Array(old.length * 2);
    const mask = this.#mask * 2 + 1;
    for (let at = 0; at < old.length; at += 2) {
      const row = old[at + 1]!;
      if (row === 0) continue;
      const h = old[at]!;
      let slot = h & mask;
      while (slots[2 * slot + 1] !== 0) slot = (slot + 1) & mask;
      slots[2 * slot] = h;
      slots[2 * slot + 1] = row;
    }
    this.#slots = slots;
    this.#mask = mask;
  }
}

/** Where a state was reached from, and its share of the index on average. */
export const BYTES_BESIDE_STATE = 4 + 16;

const CHUNK_BITS = 14;
const CHUNK_ROWS = 1 << CHUNK_BITS;

function hash(state: Uint32Array, words: number): number {
  let h = 0x2545f491;
  for (let i = 0; i < words; i += 1) {
    h = Math.imul(h ^ state[i]!, 0x9e3779b1);
    h ^= h >>> 15;
  }
  h = Math.imul(h, 0x85ebca6b);
  return h ^ (h >>> 13);
}
