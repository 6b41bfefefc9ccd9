// Hot path: one call an event. Open addressing over the two 32-bit halves of an address, because a
// double cannot hold a kernel address exactly and a BigInt as a Map key costs an allocation.

/** Gives each distinct 64-bit address a small number, in the order of first appearance. */
export interface AddressTable {
  /** @returns the address's index */
  intern(high: number, low: number): number;
  readonly length: number;
  addresses(): BigUint64Array;
}

export function addressTable(): AddressTable {
  let mask = 255;
  let slots = new Int32Array(mask + 1).fill(-1);
  let highs = new Uint32Array(128);
  let lows = new Uint32Array(128);
  let length = 0;

  function intern(high: number, low: number): number {
    let slot = hash(high, low) & mask;
    for (;;) {
      const index = slots[slot]!;
      if (index === -1) return insert(slot, high, low);
      if (lows[index] === low >>> 0 && highs[index] === high >>> 0) return index;
      slot = (slot + 1) & mask;
    }
  }

  function insert(slot: number, high: number, low: number): number {
    if (length === lows.length) {
      grow();
      return intern(high, low);
    }
    highs[length] = high;
    lows[length] = low;
    slots[slot] = length;
    length += 1;
    return length - 1;
  }

  /** Doubles everything; the slots stay at most half full. */
  function grow(): void {
    const wider = new Uint32Array(length * 2);
    wider.set(highs);
    highs = wider;
    const widerLows = new Uint32Array(length * 2);
    widerLows.set(lows);
    lows = widerLows;
    mask = mask * 2 + 1;
    slots = new Int32Array(mask + 1).fill(-1);
    for (let index = 0; index < length; index += 1) {
      let slot = hash(highs[index]!, lows[index]!) & mask;
      while (slots[slot] !== -1) slot = (slot + 1) & mask;
      slots[slot] = index;
    }
  }

  function addresses(): BigUint64Array {
    const result = new BigUint64Array(length);
    for (let i = 0; i < length; i += 1) result[i] = (BigInt(highs[i]!) << 32n) | BigInt(lows[i]!);
    return result;
  }

  return {
    intern,
    addresses,
    get length() {
      return length;
    },
  };
}

/** Mixes well in the low bits, where lock addresses, multiples of 4 or 64, have none. */
function hash(high: number, low: number): number {
  let h = Math.imul(low ^ (high << 7), 0x9e3779b1);
  h ^= h >>> 15;
  return h;
}
