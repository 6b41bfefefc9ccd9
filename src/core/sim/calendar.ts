import { assert } from "../assert.ts";

/**
 * Events in the order of their time; events of one nanosecond in the order they were scheduled.
 * Every id has at most one event at a time, so that the lists need no allocation.
 *
 * A timing wheel of three levels, aligned, not sliding:
 *
 *     level 0   65,536 slots of 1 ns     65.5 µs   a slot is one instant: nothing is ever sorted
 *     level 1    4,096 slots of 2^16 ns   268 ms
 *     level 2    4,096 slots of 2^28 ns    18 min
 *     beyond     one list, looked through every 18 minutes of simulated time
 *
 * When a level runs empty the next slot of the level above is dealt out into it, in order. Until
 * then every event of that stretch waits in that slot, and after it every event goes below: so the
 * order of equal times is kept. A storm's look-ahead is N·S + Z, a few hundred µs: two insertions
 * an event at worst, about 20 ns.
 */
export class Calendar {
  /** Time of the last event popped. */
  now = 0;
  /** Events scheduled and not popped. */
  size = 0;

  readonly #time: Float64Array;
  readonly #next: Int32Array;
  /** Level 0: a slot holds the last of its list; the last one's next is the first. */
  readonly #slots = new Int32Array(SLOTS).fill(NONE);
  readonly #bits = new Int32Array(SLOTS >> 5);
  readonly #summary = new Int32Array(SLOTS >> 10);
  #base = 0;
  #cursor = 0;
  readonly #middle = new Level(2 ** 16);
  readonly #top = new Level(2 ** 28);
  #beyond = NONE;

  constructor(ids: number) {
    this.#time = new Float64Array(ids);
    this.#next = new Int32Array(ids).fill(UNSCHEDULED);
  }

  /** @param at  integer nanoseconds, not before `now` */
  schedule(id: number, at: number): void {
    this.#time[id] = at;
    this.size += 1;
    const slot = at - this.#base;
    if (slot < SLOTS) this.#insert(id, slot);
    else this.#insertAbove(id, at);
  }

  /** The next event's id, and its time becomes `now`; -1 when there is none. */
  pop(): number {
    let slot = this.#nextSlot(this.#cursor);
    while (slot < 0) {
      if (this.size === 0) return NONE;
      this.#advance();
      slot = this.#nextSlot(0);
    }
    this.#cursor = slot;
    const last = this.#slots[slot]!;
    const first = this.#next[last]!;
    if (first === last) {
      this.#slots[slot] = NONE;
      const word = slot >> 5;
      this.#bits[word]! &= ~(1 << (slot & 31));
      if (this.#bits[word] === 0) this.#summary[word >> 5]! &= ~(1 << (word & 31));
    } else {
      this.#next[last] = this.#next[first]!;
    }
    this.#next[first] = UNSCHEDULED;
    this.size -= 1;
    this.now = this.#base + slot;
    return first;
  }

  #insert(id: number, slot: number): void {
    const last = this.#slots[slot]!;
    if (last < 0) {
      this.#next[id] = id;
      const word = slot >> 5;
      this.#bits[word]! |= 1 << (slot & 31);
      this.#summary[word >> 5]! |= 1 << (word & 31);
    } else {
      this.#next[id] = this.#next[last]!;
      this.#next[last] = id;
    }
    this.#slots[slot] = id;
  }

  #insertAbove(id: number, at: number): void {
    if (at < this.#middle.end) this.#middle.insert(id, at, this.#next);
    else if (at < this.#top.end) this.#top.insert(id, at, this.#next);
    else this.#beyond = append(this.#beyond, id, this.#next);
  }

  /** The first slot at or after `from` that is not empty, or -1. */
  #nextSlot(from: number): number {
    const word = from >> 5;
    const here = this.#bits[word]! & (-1 << (from & 31));
    if (here !== 0) return (word << 5) | lowestBit(here);
    const group = word >> 5;
    // A shift by 32 would be a shift by 0: the last word of a group has none after it.
    const rest = (word & 31) === 31 ? 0 : this.#summary[group]! & (-1 << ((word & 31) + 1));
    if (rest !== 0) return this.#inWord((group << 5) | lowestBit(rest));
    for (let g = group + 1; g < this.#summary.length; g += 1) {
      const words = this.#summary[g]!;
      if (words !== 0) return this.#inWord((g << 5) | lowestBit(words));
    }
    return NONE;
  }

  #inWord(word: number): number {
    return (word << 5) | lowestBit(this.#bits[word]!);
  }

  /** Level 0 is empty: deals out what comes next. */
  #advance(): void {
    let slot = this.#middle.take();
    if (slot === NONE) {
      const above = this.#top.take();
      if (above === NONE) this.#enterBeyond();
      else this.#dealInto(this.#middle, above, this.#top.taken);
      slot = this.#middle.take();
      // A stretch beyond level 2 that starts in another of its slots.
      while (slot === NONE) {
        this.#dealInto(this.#middle, this.#top.take(), this.#top.taken);
        slot = this.#middle.take();
      }
    }
    this.#base = this.#middle.taken;
    this.#cursor = 0;
    this.#each(slot, (id) => this.#insert(id, this.#time[id]! - this.#base));
  }

  #dealInto(level: Level, list: number, base: number): void {
    level.startAt(base);
    this.#each(list, (id) => level.insert(id, this.#time[id]!, this.#next));
  }

  #enterBeyond(): void {
    assert(this.#beyond !== NONE, "an event that is counted is somewhere");
    let earliest = Number.POSITIVE_INFINITY;
    this.#each(this.#beyond, (id) => {
      earliest = Math.min(earliest, this.#time[id]!);
    });
    this.#top.startAt(Math.floor(earliest / 2 ** 40) * 2 ** 40);
    const list = this.#beyond;
    this.#beyond = NONE;
    // Empty until level 2's first slot is dealt into it.
    this.#middle.startAt(this.#top.base - 2 ** 28);
    this.#each(list, (id) => {
      if (this.#time[id]! < this.#top.end) this.#top.insert(id, this.#time[id]!, this.#next);
      else this.#beyond = append(this.#beyond, id, this.#next);
    });
  }

  /** Visits a list in order; the visitor may put each id into another list. */
  #each(last: number, visit: (id: number) => void): void {
    let id = this.#next[last]!;
    for (;;) {
      const following = this.#next[id]!;
      const isLast = id === last;
      visit(id);
      if (isLast) return;
      id = following;
    }
  }
}

const NONE = -1;
const UNSCHEDULED = -2;
const SLOTS = 2 ** 16;
const UPPER_SLOTS = 2 ** 12;

/** A coarse level: lists of what falls into the same stretch of time. */
class Level {
  base = 0;
  end: number;
  /** Start of the slot last taken. */
  taken = 0;
  readonly #width: number;
  /** A power of two: multiplying by it is exact. */
  readonly #perNs: number;
  readonly #lists = new Int32Array(UPPER_SLOTS).fill(NONE);
  /** A bit for each list that is not empty. */
  readonly #bits = new Int32Array(UPPER_SLOTS >> 5);
  /** No word before this one has a bit. */
  #word = 0;

  constructor(width: number) {
    this.#width = width;
    this.#perNs = 1 / width;
    this.end = width * UPPER_SLOTS;
  }

  startAt(base: number): void {
    this.base = base;
    this.end = base + this.#width * UPPER_SLOTS;
    this.#word = 0;
  }

  insert(id: number, at: number, next: Int32Array): void {
    const slot = ((at - this.base) * this.#perNs) | 0;
    this.#bits[slot >> 5]! |= 1 << (slot & 31);
    this.#lists[slot] = append(this.#lists[slot]!, id, next);
  }

  /** The next list that is not empty, taken out. */
  take(): number {
    const words = this.#bits.length;
    while (this.#word < words && this.#bits[this.#word] === 0) this.#word += 1;
    if (this.#word === words) return NONE;
    const bits = this.#bits[this.#word]!;
    const slot = (this.#word << 5) | lowestBit(bits);
    this.#bits[this.#word] = bits & (bits - 1);
    const list = this.#lists[slot]!;
    this.#lists[slot] = NONE;
    this.taken = this.base + slot * this.#width;
    return list;
  }
}

/** Appends to a list that is named by its last member → the list. */
function append(last: number, id: number, next: Int32Array): number {
  next[id] = last === NONE ? id : next[last]!;
  if (last !== NONE) next[last] = id;
  return id;
}

function lowestBit(word: number): number {
  return 31 - Math.clz32(word & -word);
}
