// Reads /proc/kallsyms, some 120,000 to 250,000 lines:
//
//   ffffffff813460e0 t __change_page_attr_set_clr
//   ffffffffc0a01000 t kvm_init	[kvm]

/** The kernel's own names for its addresses. */
export interface Symbols {
  /** The function that holds a text address, or undefined outside all functions. */
  functionAt(address: bigint): string | undefined;
  /** The data symbol at an address, as `name` or `name+0x40`, or undefined. */
  objectAt(address: bigint): string | undefined;
  /** False when the kernel hides its addresses from this process. */
  readonly readable: boolean;
  /** False when the kernel was built without names for its data (CONFIG_KALLSYMS_ALL). */
  readonly hasObjects: boolean;
}

/** A static lock is part of an object of at most this size: a symbol farther below is another's. */
const OBJECT_BYTES_MAX = 4096n;
/** Data symbols that a kernel without names for its data still has: the edges of its sections. */
const SECTION_EDGES_MAX = 1000;

export function parseKallsyms(text: string): Symbols {
  const functions: SymbolList = { addresses: [], names: [] };
  const objects: SymbolList = { addresses: [], names: [] };
  let readable = false;
  for (let at = 0; at < text.length; ) {
    let end = text.indexOf("\n", at);
    if (end === -1) end = text.length;
    const line = text.slice(at, end);
    at = end + 1;
    // Columns: 16 digits, blank, one letter of type, blank, name, perhaps a tab and the module.
    const type = line.charCodeAt(17) | 0x20;
    const tab = line.indexOf("\t", 19);
    const name = tab === -1 ? line.slice(19) : line.slice(19, tab);
    const address = parseAddress(line);
    if (address === undefined || address === 0n) continue;
    readable = true;
    if (type === 0x74 || type === 0x77) {
      if (!name.startsWith("__pfx_")) add(functions, address, name);
    } else if (type === 0x62 || type === 0x64 || type === 0x72) {
      add(objects, address, name);
    }
  }
  const hasObjects = objects.names.length > SECTION_EDGES_MAX;
  const sortedFunctions = sorted(functions);
  const sortedObjects = sorted(objects);
  return {
    functionAt: (address) => {
      const index = lastAtOrBelow(sortedFunctions.addresses, address);
      return sortedFunctions.names[index];
    },
    objectAt: (address) => {
      const index = hasObjects ? lastAtOrBelow(sortedObjects.addresses, address) : -1;
      if (index === -1) return undefined;
      const offset = address - sortedObjects.addresses[index]!;
      if (offset >= OBJECT_BYTES_MAX) return undefined;
      const name = sortedObjects.names[index]!;
      return offset === 0n ? name : `${name}+0x${offset.toString(16)}`;
    },
    readable,
    hasObjects,
  };
}

interface SymbolList {
  addresses: bigint[];
  names: string[];
}

function parseAddress(line: string): bigint | undefined {
  const high = Number.parseInt(line.slice(0, 8), 16);
  const low = Number.parseInt(line.slice(8, 16), 16);
  if (Number.isNaN(high) || Number.isNaN(low)) return undefined;
  return (BigInt(high) << 32n) | BigInt(low);
}

function add(list: SymbolList, address: bigint, name: string): void {
  list.addresses.push(address);
  list.names.push(name);
}

function sorted({ addresses, names }: SymbolList): { addresses: BigUint64Array; names: string[] } {
  const order = addresses.map((_, i) => i);
  // Of several names for one address the first in the file stays last, and is found.
  order.sort((a, b) =>
    addresses[a]! < addresses[b]! ? -1 : addresses[a]! > addresses[b]! ? 1 : b - a,
  );
  return {
    addresses: BigUint64Array.from(order, (i) => addresses[i]!),
    names: order.map((i) => names[i]!),
  };
}

/** @returns the index of the last address at or below the one asked for, or -1 */
function lastAtOrBelow(addresses: BigUint64Array, address: bigint): number {
  let low = 0;
  let high = addresses.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (addresses[middle]! <= address) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}
