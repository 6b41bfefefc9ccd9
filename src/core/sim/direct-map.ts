import { PAGE_KERNEL } from "../kernel/attributes.ts";
import { ENTRY_IS_MARKED_TABLE, ENTRY_IS_TABLE } from "../kernel/operation.ts";
import { ENTRY, LEVEL, type StartEntry } from "./program.ts";
import type { HostMemory } from "./setup.ts";

/**
 * Which part of the host's direct map is made of entries of which size: one byte for each 2 MiB and
 * each 1 GiB. Splits are all that happens to it here, so that a table stays a table.
 */
export class DirectMap {
  /** It can have 1 GiB entries: look-ups read the PUD. */
  readonly hasPud: boolean;
  /** Regions of 2 MiB that were never split. */
  coldRegions = 0;
  readonly #pmd: Uint8Array;
  readonly #pud: Uint8Array;

  /** @param isLarge  says which 2 MiB are large entries, in place of the shares */
  constructor(memory: HostMemory, preSplit: boolean, isLarge?: (region: number) => boolean) {
    const { regions, share1g, share2m } = memory;
    this.hasPud = share1g > 0 && !preSplit;
    this.#pmd = new Uint8Array(regions).fill(ENTRY.table);
    this.#pud = new Uint8Array(Math.ceil(regions / 512)).fill(ENTRY.table);
    if (preSplit) return;
    for (let region = 0; region < regions; region += 1) {
      const gib = region >> 9;
      // Multiples of the golden ratio: each share is met within one gigabyte at any size.
      const place = (gib * 0.6180339887498949) % 1;
      if (isLarge === undefined && place < share1g) this.#pud[gib] = ENTRY.large;
      if (isLarge === undefined ? place < share1g + share2m : isLarge(region)) {
        this.#pmd[region] = ENTRY.large;
        this.coldRegions += 1;
      }
    }
  }

  /** What a page operation finds when it begins. */
  startEntry(region: number): StartEntry {
    if (this.hasPud && this.#pud[region >> 9] === ENTRY.large) return "1g";
    return this.#pmd[region] === ENTRY.table ? "table" : "2m";
  }

  /** The answer of the kernel model's `readEntry`. */
  read(level: number, region: number): number {
    const entry = level === LEVEL.pud ? this.#pud[region >> 9] : this.#pmd[region];
    if (entry === ENTRY.large) return PAGE_KERNEL;
    return entry === ENTRY.table ? ENTRY_IS_TABLE : ENTRY_IS_MARKED_TABLE;
  }

  isMarked(region: number): boolean {
    return this.#pmd[region] === ENTRY.marked;
  }

  /** → true when a split's mark went away. */
  write(level: number, entry: number, region: number): boolean {
    if (level === LEVEL.pud) {
      this.#pud[region >> 9] = entry;
      return false;
    }
    const before = this.#pmd[region];
    if (before === ENTRY.large) this.coldRegions -= 1;
    this.#pmd[region] = entry;
    return before === ENTRY.marked;
  }
}
