/**
 * All states seen, stored exactly: a table that keeps only hashes loses states without a word (SPIN
 * did so on this very model), and then "every interleaving" would be a lie.
 *
 * States are equal-sized rows of 32-bit words in chunks that never move, and an open-addressing
 * index over them. Insertion order is the breadth-first queue. Each row has one more word: the
 * state it was reached from. For 5 CPUs: 28 bytes of state + 4 + about 10 of index.
 */
export class StateStore {
  readonly #words: number;
  readonly #row: number;
  #chunks: Uint32Array[] = [];
  #slots = new Int32Array(1 << 12);
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
    let slot = hash(state, this.#words) & this.#mask;
    for (;;) {
      const found = this.#slots[slot]! - 1;
      if (found < 0) break;
      if (this.#equals(found, state)) return found;
      slot = (slot + 1) & this.#mask;
    }
    const index = this.count;
    this.#slots[slot] = index + 1;
    if ((index & (CHUNK_ROWS - 1)) === 0) {
      this.#chunks.push(new Uint32Array(CHUNK_ROWS * this.#row));
    }
    const chunk = this.#chunks[index >> CHUNK_BITS]!;
    const at = (index & (CHUNK_ROWS - 1)) * this.#row;
    for (let i = 0; i < this.#words; i += 1) chunk[at + i] = state[i]!;
    chunk[at + this.#words] = from;
    this.count = index + 1;
    if (this.count * 8 > this.#slots.length * 5) this.#enlarge();
    return index;
  }

  /** The index of a state that is stored, or -1. */
  find(state: Uint32Array): number {
    let slot = hash(state, this.#words) & this.#mask;
    for (;;) {
      const found = this.#slots[slot]! - 1;
      if (found < 0 || this.#equals(found, state)) return found;
      slot = (slot + 1) & this.#mask;
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

  #enlarge(): void {
    const size = this.#slots.length * 2;
    this.#slots = new Int32Array(size);
    this.#mask = size - 1;
    const state = new Uint32Array(this.#words);
    for (let index = 0; index < this.count; index += 1) {
      this.load(index, state);
      let slot = hash(state, this.#words) & this.#mask;
      while (this.#slots[slot] !== 0) slot = (slot + 1) & this.#mask;
      this.#slots[slot] = index + 1;
    }
  }
}

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
