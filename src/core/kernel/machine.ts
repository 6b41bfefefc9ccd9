import { assert } from "../assert.ts";
import { attributesOfTlbSet, PAGE_KERNEL, PRESENT, tlbBit, WRITABLE } from "./attributes.ts";
import type { Design } from "./design.ts";
import {
  ASSIGNED_UNDER_LARGE,
  ASSIGNED_UNDER_STALE,
  DIFFERENT_ACCESS,
  DIFFERENT_TYPE,
  DUPLICATE,
  LOST_UPDATE,
  NO_EFFECT,
  NOT_VALIDATED,
  PAGE_RULE,
  STALE_AT_RETURN,
  STALE_UNCHANGED,
  STORE_UNREACHABLE,
  TABLE_OVER_TABLE,
  VALIDATED_UNASSIGNED,
  WALK_FREED,
} from "./law.ts";
import {
  ENTRY_IS_MARKED_TABLE,
  ENTRY_IS_TABLE,
  NOT_EQUAL,
  type Operation,
  type PageChoice,
  RMP_FAIL_OVERLAP,
  RMP_FAIL_SIZEMISMATCH,
  RMP_OK,
} from "./operation.ts";

/**
 * The machine that all paths run on: locks, page tables, TLBs, RMP entries of N CPUs in one byte
 * array, and what each operation does to it. This file is the only one that writes model state.
 *
 * A hot path of the checker (millions of steps a second): plain numbers, no allocation. The state
 * is small so that it can be stored exactly: 4 bytes a CPU and 4 to 12 for the rest, where nothing
 * collapses and no RMP is modelled.
 *
 * A TLB is a *may-cache*: the set of all translations it may hold, by size. A CPU loads whatever
 * is reachable at any time, keeps it as long as it likes, and a non-present entry is never cached.
 * Loading only adds behaviour, and every law asks whether *some* held subset is bad, so the full
 * set is exact. One such observer stands for all CPUs, since kernel mappings are global and all
 * flushes reach all CPUs; `flush: "ipi"` gives each CPU its own, to test just that.
 */
export interface MachineSetup {
  readonly design: Design;
  readonly cpus: number;
  /** 2 MiB regions; page i lies in region i % regions. */
  readonly regions: number;
  /** 4 KiB pages. CPU i works on page i % pages. More pages than CPUs: the rest have no owner. */
  readonly pages: number;
  /** Entries at the start: one 1 GiB, 2 MiB each, or 4 KiB. */
  readonly start: "1g" | "2m" | "4k";
  /** A table can be taken away again: pointers into it and walks through it must be tracked. */
  readonly tracksTables: boolean;
  /** RMP entries: not modelled, all the hypervisor's, or each 2 MiB one entry of the guest's. */
  readonly rmp: "none" | "hypervisor" | "guest-2m";
  /** One observer for all TLBs, and a flush is one step; or one for each CPU, flushed by IPIs. */
  readonly flush: "broadcast" | "ipi";
  /** Stores wait in a store buffer of this many entries (x86-TSO); 0 is sequential consistency. */
  readonly storeBuffer: number;
}

/** A state in words: attributes are `attributes.ts` bit sets. */
export interface MachineView {
  /** Undefined where the 1 GiB level is not modelled. */
  readonly pud: number | "table" | undefined;
  readonly pmds: readonly (number | "table" | "marked table" | undefined)[];
  /** Undefined where the page lies under a large entry. */
  readonly ptes: readonly (number | undefined)[];
  /** What each page's owner last asked for. */
  readonly asked: readonly number[];
  /** What each TLB may hold; one that stands for all, or one for each CPU. */
  readonly tlbs: readonly {
    readonly huge: readonly number[];
    readonly large: readonly (readonly number[])[];
    readonly small: readonly (readonly number[])[];
  }[];
  /** Readers are counted. */
  readonly locks: readonly { readonly name: string; readonly held: number | "exclusive" }[];
  /** The table each CPU took out of the tree and has not freed yet. */
  readonly detached: readonly ({ attributes: number; cached: boolean } | undefined)[];
  readonly rmp: readonly ({ assigned: boolean; validated: boolean } | undefined)[];
}

/** What an operation is to the machine: numbers only. */
export interface Instruction {
  readonly kind: number;
  readonly a: number;
  readonly b: number;
  readonly c: number;
}

export const KIND = {
  lock: 0,
  lockShared: 1,
  unlock: 2,
  unlockShared: 3,
  readPmd: 4,
  readPud: 5,
  installPmdTable: 6,
  installPudTable: 7,
  writePmd: 8,
  clearMark: 9,
  awaitUnmarked: 10,
  readPte: 11,
  writePte: 12,
  scanPtes: 13,
  flush: 14,
  flushSend: 15,
  flushWait: 16,
  freeTable: 17,
  return: 18,
  rmpupdate: 19,
  psmash: 20,
  pvalidate: 21,
  guestAccess: 22,
  /** Touches nothing shared. */
  local: 23,
  done: 24,
} as const;

/** The result of a step that cannot be taken now. */
export const BLOCKED = -1;

const TABLE = 0x10;
const MARK = 0x20;
const OWN = 255;

// Pointers into a table, per CPU: 0 none, 1 into the table that is installed, 2+n into the table
// that was detached n detachments ago. Ages instead of names keep the state symmetric in the CPUs.
const PTR_CURRENT = 1;
const PTR_FREED = 255;

// RMP byte of a page: assigned to the guest, validated by the guest.
const ASSIGNED = 1;
const VALIDATED = 2;

export class Machine {
  readonly setup: MachineSetup;
  /** Length of a state in bytes, a multiple of 4. */
  readonly bytes: number;
  /** Bytes before the first CPU's block; blocks are `blockBytes` long and all alike. */
  readonly headerBytes: number;
  readonly blockBytes: number;
  /** Laws broken by the last step: `Law.bit`s. */
  broken = 0;
  /** How often a law was put to a real test (both sizes in a TLB, a flush that cleared …). */
  readonly tested = { bothSizes: 0, flushCleared: 0, storeAfterDetach: 0, returnFlushed: 0 };

  readonly #lockNames: readonly string[];
  readonly #lockOffset: Int32Array;
  readonly #lockPerPmd: Uint8Array;
  readonly #pmdOffset: Int32Array;
  readonly #pudOffset: number;
  readonly #pageOfCpu: Int32Array;
  readonly #regionOfPage: Int32Array;
  /** Byte of a page: PTE in the low half, what its owner last asked for in the high half. */
  readonly #pteOffset: Int32Array;
  readonly #rmpOffset: Int32Array;
  /** 1: the region is one 2 MiB RMP entry of the guest's, which governs its pages. */
  readonly #rmpLarge: Int32Array;
  readonly #largeTlb: Int32Array;
  readonly #hugeTlb: Int32Array;
  readonly #smallTlb: Int32Array;
  readonly #observers: number;

  constructor(setup: MachineSetup) {
    const { cpus, regions, pages, design } = setup;
    const ipi = setup.flush === "ipi";
    const observers = ipi ? cpus : 1;
    assert(cpus >= 1 && cpus <= 16, "1 to 16 CPUs");
    assert(pages >= 1 && regions >= 1 && pages >= regions, "each region has a page");
    this.setup = setup;
    this.#observers = observers;
    const ownColumns = pages >= cpus && !ipi;

    let at = 0;
    const next = (bytes = 1) => {
      at += bytes;
      return at - bytes;
    };
    this.#pudOffset = setup.start === "1g" ? next() : -1;
    this.#pmdOffset = Int32Array.from({ length: regions }, () => next());
    this.#lockNames = Object.keys(design.locks);
    const perPmd = this.#lockNames.map((name) => design.locks[name]!.scope === "pmd");
    this.#lockPerPmd = Uint8Array.from(perPmd, Number);
    this.#lockOffset = Int32Array.from(perPmd, (is) => next(is ? regions : 1));
    this.#hugeTlb = Int32Array.from({ length: observers }, () =>
      setup.start === "1g" ? next() : -1,
    );
    this.#largeTlb = Int32Array.from({ length: observers * regions }, () => next());
    this.#rmpLarge = Int32Array.from({ length: regions }, () =>
      setup.rmp === "none" ? -1 : next(),
    );

    this.#pageOfCpu = Int32Array.from({ length: cpus }, (_, cpu) => cpu % pages);
    this.#regionOfPage = Int32Array.from({ length: pages }, (_, page) => page % regions);
    this.#pteOffset = new Int32Array(pages);
    this.#rmpOffset = new Int32Array(pages).fill(-1);
    this.#smallTlb = new Int32Array(observers * pages);
    const column = (page: number, first: number) => {
      this.#pteOffset[page] = first;
      if (!ipi) this.#smallTlb[page] = first + 1;
      if (setup.rmp !== "none") this.#rmpOffset[page] = first + 2;
    };
    const columnBytes = setup.rmp !== "none" ? 3 : 2;
    for (let page = ownColumns ? cpus : 0; page < pages; page += 1) column(page, next(columnBytes));
    if (ipi) {
      for (let i = 0; i < observers * pages; i += 1) this.#smallTlb[i] = next();
    }
    this.headerBytes = roundUp4(at);

    // A block: node (2 bytes), the own page's column, pointer, detached table (age, content, who
    // caches it), IPI mask (2), store buffer (2 each).
    at = 2;
    const own = ownColumns ? next(columnBytes) : -1;
    this.#ptr = setup.tracksTables ? next(4) : -1;
    this.#ipi = ipi ? next(2) : -1;
    this.#buffer = setup.storeBuffer > 0 ? next(2 * setup.storeBuffer) : -1;
    this.blockBytes = roundUp4(at);
    if (ownColumns) {
      for (let cpu = 0; cpu < cpus; cpu += 1) {
        column(cpu, this.headerBytes + cpu * this.blockBytes + own);
      }
    }
    this.bytes = this.headerBytes + cpus * this.blockBytes;
  }

  readonly #ptr: number;
  readonly #ipi: number;
  readonly #buffer: number;

  /** True when CPUs with the same program can change places without changing any answer. */
  get interchangeable(): boolean {
    const { pages, cpus } = this.setup;
    return this.#ipi < 0 && (pages >= cpus || pages === 1);
  }

  regionOfCpu(cpu: number): number {
    return this.#regionOfPage[this.#pageOfCpu[cpu]!]!;
  }

  lockNames(): readonly string[] {
    return this.#lockNames;
  }

  /** Writes the first state: all unlocked, PAGE_KERNEL everywhere, node 0 (the caller sets nodes). */
  initial(s: Uint8Array): void {
    const { start, pages, regions } = this.setup;
    s.fill(0);
    if (start === "1g") s[this.#pudOffset] = PAGE_KERNEL;
    for (let region = 0; region < regions; region += 1) {
      s[this.#pmdOffset[region]!] = start === "2m" ? PAGE_KERNEL : start === "4k" ? TABLE : 0;
    }
    for (let page = 0; page < pages; page += 1) {
      s[this.#pteOffset[page]!] = (PAGE_KERNEL << 4) | (start === "4k" ? PAGE_KERNEL : 0);
    }
    if (this.setup.rmp === "guest-2m") {
      for (const at of this.#rmpLarge) s[at] = 1;
      for (const at of this.#rmpOffset) s[at] = ASSIGNED | VALIDATED;
    }
    this.broken = 0;
    this.#settle(s);
  }

  node(s: Uint8Array, cpu: number): number {
    const at = this.headerBytes + cpu * this.blockBytes;
    return s[at]! | (s[at + 1]! << 8);
  }

  setNode(s: Uint8Array, cpu: number, node: number): void {
    const at = this.headerBytes + cpu * this.blockBytes;
    s[at] = node & 255;
    s[at + 1] = node >> 8;
  }

  /** Translates an operation; the locks of the design have numbers here. */
  compile(operation: Operation): Instruction {
    const page = (choice: PageChoice) => (choice === "own" ? OWN : choice);
    const make = (kind: number, a = 0, b = 0, c = 0): Instruction => ({ kind, a, b, c });
    switch (operation.op) {
      case "lock":
        return make(operation.shared ? KIND.lockShared : KIND.lock, this.#lock(operation.lock));
      case "unlock":
        return make(operation.shared ? KIND.unlockShared : KIND.unlock, this.#lock(operation.lock));
      case "readEntry":
        return make(operation.level === "pmd" ? KIND.readPmd : KIND.readPud);
      case "installTable":
        return make(
          operation.level === "pmd" ? KIND.installPmdTable : KIND.installPudTable,
          operation.attributes,
          operation.mark ? 1 : 0,
        );
      case "writeLarge":
        assert(operation.level === "pmd", "a 1 GiB entry is split, never changed in place");
        return make(
          KIND.writePmd,
          operation.attributes,
          operation.collapse ? 1 : 0,
          operation.set | (operation.clear << 4),
        );
      case "clearMark":
        return make(KIND.clearMark);
      case "awaitUnmarked":
        return make(KIND.awaitUnmarked);
      case "readPte":
        return make(KIND.readPte, page(operation.page));
      case "writePte":
        return make(
          KIND.writePte,
          page(operation.page),
          operation.attributes,
          operation.set | (operation.clear << 4),
        );
      case "scanPtes":
        return make(KIND.scanPtes);
      case "flush":
        return make(KIND.flush, operation.range === "all" ? 1 : 0);
      case "flushSend":
        return make(KIND.flushSend, operation.range === "all" ? 1 : 0);
      case "flushWait":
        return make(KIND.flushWait, operation.range === "all" ? 1 : 0);
      case "freeTable":
        return make(KIND.freeTable);
      case "return":
        return make(
          KIND.return,
          page(operation.page),
          (operation.flushed ? 1 : 0) | (operation.changed ? 2 : 0),
          operation.set | (operation.clear << 4),
        );
      case "rmpupdate":
        return make(KIND.rmpupdate, operation.assign ? 1 : 0);
      case "psmash":
        return make(KIND.psmash);
      case "pvalidate":
        return make(KIND.pvalidate, operation.valid ? 1 : 0);
      case "guestAccess":
        return make(KIND.guestAccess);
      case "allocPage":
      case "freePage":
      case "work":
        return make(KIND.local);
    }
  }

  #lock(name: string): number {
    const index = this.#lockNames.indexOf(name);
    assert(index >= 0, `the design has a lock ${name}`);
    return index;
  }

  #lockByte(lock: number, region: number): number {
    return this.#lockOffset[lock]! + (this.#lockPerPmd[lock] ? region : 0);
  }

  /**
   * Takes one step of a CPU in place.
   * @returns the operation's result, or BLOCKED and the state is unchanged; `broken` says which
   *   laws the step broke
   */
  apply(s: Uint8Array, cpu: number, kind: number, a: number, b: number, c: number): number {
    this.broken = 0;
    const page = this.#pageOfCpu[cpu]!;
    const region = this.#regionOfPage[page]!;
    switch (kind) {
      case KIND.lock: {
        const at = this.#lockByte(a, region);
        if (s[at] !== 0) return BLOCKED;
        s[at] = 255;
        return 0;
      }
      case KIND.lockShared: {
        const at = this.#lockByte(a, region);
        if (s[at] === 255) return BLOCKED;
        s[at] = s[at]! + 1;
        return 0;
      }
      case KIND.unlock:
        s[this.#lockByte(a, region)] = 0;
        return 0;
      case KIND.unlockShared:
        s[this.#lockByte(a, region)]! -= 1;
        return 0;
      case KIND.readPud:
        return s[this.#pudOffset]! & TABLE ? ENTRY_IS_TABLE : s[this.#pudOffset]! & 15;
      case KIND.readPmd: {
        const pmd = s[this.#pmdOffset[region]!]!;
        if (!(pmd & TABLE)) {
          this.#setPointer(s, cpu, 0);
          return pmd & 15;
        }
        this.#setPointer(s, cpu, PTR_CURRENT);
        return pmd & MARK ? ENTRY_IS_MARKED_TABLE : ENTRY_IS_TABLE;
      }
      case KIND.readPte:
        return this.#readPte(s, cpu, a === OWN ? page : a);
      case KIND.writePte:
        this.#writePte(s, cpu, a === OWN ? page : a, b, c & 15, c >> 4);
        this.#settle(s);
        return 0;
      case KIND.installPmdTable:
        this.#installPmdTable(s, region, a, b);
        this.#settle(s);
        return 0;
      case KIND.installPudTable:
        if (s[this.#pudOffset]! & TABLE) this.broken |= TABLE_OVER_TABLE.bit;
        s[this.#pudOffset] = TABLE;
        for (const at of this.#pmdOffset) s[at] = a;
        this.#settle(s);
        return 0;
      case KIND.writePmd:
        this.#writePmd(s, cpu, region, a, b, c);
        this.#settle(s);
        return 0;
      case KIND.clearMark:
        s[this.#pmdOffset[region]!]! &= ~MARK;
        return 0;
      case KIND.awaitUnmarked:
        return s[this.#pmdOffset[region]!]! & MARK ? BLOCKED : 0;
      case KIND.scanPtes:
        return this.#scanPtes(s, region);
      case KIND.flush:
        for (let o = 0; o < this.#observers; o += 1) this.#flushObserver(s, o, a, page);
        this.#settle(s);
        return 0;
      case KIND.flushSend:
        this.#flushSend(s, cpu, a, page);
        this.#settle(s);
        return 0;
      case KIND.flushWait:
        return this.#ipiMask(s, cpu) === 0 ? 0 : BLOCKED;
      case KIND.freeTable:
        this.#freeTable(s, cpu, region);
        return 0;
      case KIND.return:
        this.#return(s, cpu, a === OWN ? page : a, b, c & 15, c >> 4);
        return 0;
      case KIND.rmpupdate:
        return this.#rmpupdate(s, page, region, a);
      case KIND.psmash:
        // Smashing what another vCPU has smashed already is harmless: validated stays.
        s[this.#rmpLarge[region]!] = 0;
        return RMP_OK;
      case KIND.pvalidate:
        return this.#pvalidate(s, page, region, a);
      case KIND.guestAccess:
        if ((s[this.#rmpOffset[page]!]! & (ASSIGNED | VALIDATED)) !== (ASSIGNED | VALIDATED)) {
          this.broken |= NOT_VALIDATED.bit;
        }
        return 0;
      case KIND.local:
        return 0;
      default:
        return BLOCKED;
    }
  }

  /** The state as a reader draws it. Slow; for counterexamples and tests. */
  view(s: Uint8Array): MachineView {
    const { pages, regions, design, cpus } = this.setup;
    const range = (count: number) => Array.from({ length: count }, (_, i) => i);
    const pud = this.#pudOffset < 0 ? undefined : s[this.#pudOffset]!;
    return {
      pud: pud === undefined ? undefined : pud & TABLE ? "table" : pud & 15,
      pmds: range(regions).map((r) => {
        const pmd = s[this.#pmdOffset[r]!]!;
        if (pud !== undefined && !(pud & TABLE)) return undefined;
        return pmd & TABLE ? (pmd & MARK ? "marked table" : "table") : pmd & 15;
      }),
      ptes: range(pages).map((p) => {
        const pmd = s[this.#pmdOffset[this.#regionOfPage[p]!]!]!;
        return pmd & TABLE ? s[this.#pteOffset[p]!]! & 15 : undefined;
      }),
      asked: range(pages).map((p) => s[this.#pteOffset[p]!]! >> 4),
      tlbs: range(this.#observers).map((o) => ({
        huge: this.#hugeTlb[o]! < 0 ? [] : attributesOfTlbSet(s[this.#hugeTlb[o]!]!),
        large: range(regions).map((r) => attributesOfTlbSet(s[this.#largeTlb[o * regions + r]!]!)),
        small: range(pages).map((p) => attributesOfTlbSet(s[this.#smallTlb[o * pages + p]!]!)),
      })),
      locks: this.#lockNames.flatMap((name, i) =>
        range(design.locks[name]!.scope === "pmd" ? regions : 1).map((r) => {
          const held = s[this.#lockOffset[i]! + r]!;
          return { name, held: held === 255 ? ("exclusive" as const) : held };
        }),
      ),
      detached: range(cpus).map((cpu) => {
        if (this.#ptr < 0) return undefined;
        const at = this.headerBytes + cpu * this.blockBytes + this.#ptr;
        if (s[at + 1] === 0) return undefined;
        return { attributes: s[at + 2]!, cached: s[at + 3] !== 0 };
      }),
      rmp: range(pages).map((p) => {
        if (this.#rmpOffset[p]! < 0) return undefined;
        const entry = s[this.#rmpOffset[p]!]!;
        return { assigned: (entry & ASSIGNED) !== 0, validated: (entry & VALIDATED) !== 0 };
      }),
    };
  }

  /** Entry i of a CPU's store buffer, as the number its owner gave it; 0: none. */
  bufferedStore(s: Uint8Array, cpu: number, i: number): number {
    const at = this.headerBytes + cpu * this.blockBytes + this.#buffer + 2 * i;
    return s[at]! | (s[at + 1]! << 8);
  }

  setBufferedStore(s: Uint8Array, cpu: number, i: number, store: number): void {
    const at = this.headerBytes + cpu * this.blockBytes + this.#buffer + 2 * i;
    s[at] = store & 255;
    s[at + 1] = store >> 8;
  }

  /** The pointer of the CPU's last look-up, which is a register and no memory. */
  copyPointer(from: Uint8Array, to: Uint8Array, cpu: number): void {
    this.#setPointer(to, cpu, this.#pointer(from, cpu));
  }

  #setPointer(s: Uint8Array, cpu: number, pointer: number): void {
    if (this.#ptr >= 0) s[this.headerBytes + cpu * this.blockBytes + this.#ptr] = pointer;
  }

  #pointer(s: Uint8Array, cpu: number): number {
    if (this.#ptr < 0) return PTR_CURRENT;
    return s[this.headerBytes + cpu * this.blockBytes + this.#ptr]!;
  }

  #readPte(s: Uint8Array, cpu: number, page: number): number {
    const pointer = this.#pointer(s, cpu);
    if (pointer === PTR_FREED) this.broken |= WALK_FREED.bit;
    const region = this.#regionOfPage[page]!;
    if (pointer === PTR_CURRENT) return s[this.#pteOffset[page]!]! & 15;
    // A detached table keeps what it had: all entries equal, or the collapse lost an update.
    return this.#contentOfDetached(s, pointer, region) ?? 0;
  }

  #writePte(
    s: Uint8Array,
    cpu: number,
    page: number,
    attributes: number,
    set: number,
    clear: number,
  ): void {
    if (this.#pointer(s, cpu) !== PTR_CURRENT) this.broken |= STORE_UNREACHABLE.bit;
    else if (this.#ptr >= 0 && this.#anyDetached(s)) this.tested.storeAfterDetach += 1;
    const at = this.#pteOffset[page]!;
    const asked = ((s[at]! >> 4) & ~clear) | set;
    s[at] = (asked << 4) | attributes;
    this.#setPointer(s, cpu, 0);
  }

  #installPmdTable(s: Uint8Array, region: number, attributes: number, mark: number): void {
    const at = this.#pmdOffset[region]!;
    if (s[at]! & TABLE) this.broken |= TABLE_OVER_TABLE.bit;
    s[at] = TABLE | (mark ? MARK : 0);
    for (let page = region; page < this.setup.pages; page += this.setup.regions) {
      const pte = this.#pteOffset[page]!;
      s[pte] = (s[pte]! & 0xf0) | attributes;
    }
  }

  /** A collapse takes the table away; a change in place is a change of every page below. */
  #writePmd(
    s: Uint8Array,
    cpu: number,
    region: number,
    attributes: number,
    collapse: number,
    change: number,
  ): void {
    const at = this.#pmdOffset[region]!;
    const table = (s[at]! & TABLE) !== 0;
    if (table && !collapse) this.broken |= TABLE_OVER_TABLE.bit;
    // Not the table that was scanned: that one is queued twice, or the one found here leaks.
    if (collapse && this.#pointer(s, cpu) !== PTR_CURRENT) {
      this.broken |= PAGE_RULE.bit;
      return;
    }
    s[at] = attributes;
    for (let page = region; page < this.setup.pages; page += this.setup.regions) {
      const pte = this.#pteOffset[page]!;
      s[pte] = (((s[pte]! >> 4) & ~(change >> 4)) | (change & 15)) << 4;
    }
    if (table && collapse) this.#detach(s, cpu, attributes);
  }

  /** The table this CPU took out of the tree: its age, and its content as long as it is cached. */
  #detach(s: Uint8Array, cpu: number, attributes: number): void {
    assert(this.#ptr >= 0, "a machine with collapse tracks tables");
    for (let other = 0; other < this.setup.cpus; other += 1) {
      if (this.regionOfCpu(other) !== this.regionOfCpu(cpu)) continue;
      const block = this.headerBytes + other * this.blockBytes + this.#ptr;
      if (s[block]! >= PTR_CURRENT && s[block] !== PTR_FREED) s[block]! += 1;
      if (s[block + 1] !== 0) s[block + 1]! += 1;
    }
    const mine = this.headerBytes + cpu * this.blockBytes + this.#ptr;
    s[mine + 1] = 2;
    s[mine + 2] = attributes;
    s[mine + 3] = (1 << this.#observers) - 1;
  }

  #anyDetached(s: Uint8Array): boolean {
    for (let cpu = 0; cpu < this.setup.cpus; cpu += 1) {
      if (s[this.headerBytes + cpu * this.blockBytes + this.#ptr + 1] !== 0) return true;
    }
    return false;
  }

  #contentOfDetached(s: Uint8Array, age: number, region: number): number | undefined {
    for (let cpu = 0; cpu < this.setup.cpus; cpu += 1) {
      const at = this.headerBytes + cpu * this.blockBytes + this.#ptr;
      if (this.regionOfCpu(cpu) === region && s[at + 1] === age) return s[at + 2]! & 15;
    }
    return undefined;
  }

  #freeTable(s: Uint8Array, cpu: number, region: number): void {
    const mine = this.headerBytes + cpu * this.blockBytes + this.#ptr;
    const age = s[mine + 1]!;
    assert(age !== 0, "only a detached table is freed");
    if (s[mine + 3] !== 0) this.broken |= WALK_FREED.bit;
    s[mine + 1] = 0;
    s[mine + 2] = 0;
    s[mine + 3] = 0;
    for (let other = 0; other < this.setup.cpus; other += 1) {
      const at = this.headerBytes + other * this.blockBytes + this.#ptr;
      if (this.regionOfCpu(other) === region && s[at] === age) s[at] = PTR_FREED;
    }
  }

  #scanPtes(s: Uint8Array, region: number): number {
    const { pages, regions } = this.setup;
    const first = s[this.#pteOffset[region]!]! & 15;
    if (!(first & PRESENT)) return NOT_EQUAL;
    for (let page = region; page < pages; page += regions) {
      if ((s[this.#pteOffset[page]!]! & 15) !== first) return NOT_EQUAL;
    }
    return first;
  }

  #flushObserver(s: Uint8Array, observer: number, all: number, page: number): void {
    const { pages, regions, cpus } = this.setup;
    let held = 0;
    for (let p = 0; p < pages; p += 1) {
      if (!all && p !== page) continue;
      const at = this.#smallTlb[observer * pages + p]!;
      held |= s[at]!;
      s[at] = 0;
    }
    // INVLPG of an address drops every fragment of the large page around it (SDM 4.10.4.1).
    for (let r = 0; r < regions; r += 1) {
      if (all || r === this.#regionOfPage[page]) s[this.#largeTlb[observer * regions + r]!] = 0;
    }
    if (this.#hugeTlb[observer]! >= 0) s[this.#hugeTlb[observer]!] = 0;
    if (held) this.tested.flushCleared += 1;
    if (this.#ptr < 0) return;
    // And every paging-structure cache entry, whatever the address.
    for (let cpu = 0; cpu < cpus; cpu += 1) {
      s[this.headerBytes + cpu * this.blockBytes + this.#ptr + 3]! &= ~(1 << observer);
    }
  }

  #ipiMask(s: Uint8Array, cpu: number): number {
    const at = this.headerBytes + cpu * this.blockBytes + this.#ipi;
    return s[at]! | (s[at + 1]! << 8);
  }

  #flushSend(s: Uint8Array, cpu: number, all: number, page: number): void {
    this.#flushObserver(s, cpu, all, page);
    const mask = ((1 << this.setup.cpus) - 1) & ~(1 << cpu);
    const at = this.headerBytes + cpu * this.blockBytes + this.#ipi;
    s[at] = mask & 255;
    s[at + 1] = mask >> 8;
  }

  /**
   * The other half of `flushSend`: CPU `target` handles the interrupt that `sender` sent.
   * @returns false when none is pending
   */
  acknowledge(s: Uint8Array, sender: number, target: number, all: number): boolean {
    this.broken = 0;
    if (this.#ipi < 0) return false;
    const mask = this.#ipiMask(s, sender);
    if (!(mask & (1 << target))) return false;
    this.#flushObserver(s, target, all, this.#pageOfCpu[sender]!);
    const at = this.headerBytes + sender * this.blockBytes + this.#ipi;
    s[at] = mask & ~(1 << target) & 255;
    s[at + 1] = (mask & ~(1 << target)) >> 8;
    this.#settle(s);
    return true;
  }

  #return(s: Uint8Array, cpu: number, page: number, how: number, set: number, clear: number): void {
    this.#setPointer(s, cpu, 0);
    const region = this.#regionOfPage[page]!;
    const now = this.#attributesOf(s, page);
    if ((now & clear) !== 0 || (now & set) !== set) this.broken |= NO_EFFECT.bit;
    if (!(how & 1)) return;
    this.tested.returnFlushed += 1;
    const { pages, regions } = this.setup;
    for (let o = 0; o < this.#observers; o += 1) {
      const held =
        s[this.#smallTlb[o * pages + page]!]! |
        s[this.#largeTlb[o * regions + region]!]! |
        (this.#hugeTlb[o]! >= 0 ? s[this.#hugeTlb[o]!]! : 0);
      if (held & contradicting(set, clear)) {
        this.broken |= how & 2 ? STALE_AT_RETURN.bit : STALE_UNCHANGED.bit;
      }
    }
  }

  #rmpupdate(s: Uint8Array, page: number, region: number, assign: number): number {
    if (s[this.#rmpLarge[region]!]) return RMP_FAIL_OVERLAP;
    // Any RMPUPDATE clears Validated.
    s[this.#rmpOffset[page]!] = assign ? ASSIGNED : 0;
    this.#settle(s);
    return RMP_OK;
  }

  #pvalidate(s: Uint8Array, page: number, region: number, valid: number): number {
    if (s[this.#rmpLarge[region]!]) return RMP_FAIL_SIZEMISMATCH;
    const at = this.#rmpOffset[page]!;
    if (!(s[at]! & ASSIGNED)) this.broken |= VALIDATED_UNASSIGNED.bit;
    s[at] = valid ? s[at]! | VALIDATED : s[at]! & ~VALIDATED;
    return RMP_OK;
  }

  /** What the tables say for a page now. */
  #attributesOf(s: Uint8Array, page: number): number {
    if (this.#pudOffset >= 0 && !(s[this.#pudOffset]! & TABLE)) return s[this.#pudOffset]! & 15;
    const pmd = s[this.#pmdOffset[this.#regionOfPage[page]!]!]!;
    return pmd & TABLE ? s[this.#pteOffset[page]!]! & 15 : pmd & 15;
  }

  /** After a change of tables or TLBs: every TLB loads all it can, then the laws of states. */
  #settle(s: Uint8Array): void {
    const { pages, regions } = this.setup;
    const huge = this.#pudOffset >= 0 && !(s[this.#pudOffset]! & TABLE);
    for (let page = 0; page < pages; page += 1) {
      const asked = s[this.#pteOffset[page]!]! >> 4;
      if (this.#attributesOf(s, page) !== asked) this.broken |= LOST_UPDATE.bit;
    }
    for (let o = 0; o < this.#observers; o += 1) {
      if (huge) s[this.#hugeTlb[o]!]! |= tlbBit(s[this.#pudOffset]!);
      else this.#load(s, o);
      if (this.#ptr >= 0) this.#loadThroughDetached(s, o);
      const hugeSet = this.#hugeTlb[o]! >= 0 ? s[this.#hugeTlb[o]!]! : 0;
      for (let page = 0; page < pages; page += 1) {
        const region = this.#regionOfPage[page]!;
        const small = s[this.#smallTlb[o * pages + page]!]!;
        const large = s[this.#largeTlb[o * regions + region]!]!;
        if (small !== 0 && (large | hugeSet) !== 0) this.#judge(small, large | hugeSet);
        if (hugeSet !== 0 && large !== 0) this.#judge(hugeSet, large);
        if (this.#rmpOffset[page]! >= 0) this.#judgeRmp(s, page, large | hugeSet);
      }
    }
  }

  #load(s: Uint8Array, o: number): void {
    const { pages, regions } = this.setup;
    for (let region = 0; region < regions; region += 1) {
      const pmd = s[this.#pmdOffset[region]!]!;
      if (!(pmd & TABLE)) {
        if (pmd & PRESENT) s[this.#largeTlb[o * regions + region]!]! |= tlbBit(pmd);
        continue;
      }
      for (let page = region; page < pages; page += regions) {
        const pte = s[this.#pteOffset[page]!]!;
        if (pte & PRESENT) s[this.#smallTlb[o * pages + page]!]! |= tlbBit(pte & 15);
      }
    }
  }

  /** A CPU that cached the old PMD entry still walks through a detached table. */
  #loadThroughDetached(s: Uint8Array, o: number): void {
    const { cpus, pages, regions } = this.setup;
    for (let cpu = 0; cpu < cpus; cpu += 1) {
      const mine = this.headerBytes + cpu * this.blockBytes + this.#ptr;
      if (!(s[mine + 3]! & (1 << o))) continue;
      const content = s[mine + 2]!;
      // A table of non-present entries gives the walker nothing to load.
      if (!(content & PRESENT)) continue;
      for (let page = this.regionOfCpu(cpu); page < pages; page += regions) {
        s[this.#smallTlb[o * pages + page]!]! |= tlbBit(content);
      }
    }
  }

  /** Two translations of one address by sizes, as sets of attributes. */
  #judge(one: number, other: number): void {
    this.tested.bothSizes += 1;
    this.broken |= DUPLICATE.bit;
    const both = one | other;
    if ((both & (both - 1)) === 0) return;
    // Bit 2 of a TLB set's index is the memory type: the high half of the byte is uncached.
    const types = (one & 0xf0 && other & 0x0f) || (one & 0x0f && other & 0xf0);
    if (types) this.broken |= DIFFERENT_TYPE.bit;
    // Sets of more than one: some pair differs, in access if the types leave no other way.
    const folded = (set: number) => (set | (set >> 4)) & 0x0f;
    const access = folded(one) | folded(other);
    if ((access & (access - 1)) !== 0) this.broken |= DIFFERENT_ACCESS.bit;
  }

  #judgeRmp(s: Uint8Array, page: number, large: number): void {
    if (!(s[this.#rmpOffset[page]!]! & ASSIGNED)) return;
    const region = this.#regionOfPage[page]!;
    // Assigned as a whole: the host writes to none of the 512 pages.
    if (this.setup.rmp === "guest-2m" && !this.#anyUnassigned(s, region)) return;
    const pud = this.#pudOffset >= 0 ? s[this.#pudOffset]! : TABLE;
    const entry = pud & TABLE ? s[this.#pmdOffset[region]!]! : pud;
    if (!(entry & TABLE) && entry & WRITABLE && entry & PRESENT) {
      this.broken |= ASSIGNED_UNDER_LARGE.bit;
    }
    if (large & WRITABLE_TLB_SET) this.broken |= ASSIGNED_UNDER_STALE.bit;
  }

  #anyUnassigned(s: Uint8Array, region: number): boolean {
    for (let page = region; page < this.setup.pages; page += this.setup.regions) {
      if (!(s[this.#rmpOffset[page]!]! & ASSIGNED)) return true;
    }
    return false;
  }
}

/** TLB-set bits whose attributes have RW. */
const WRITABLE_TLB_SET = 0b10101010;

/** The TLB-set bits of translations that a request does not allow any more. */
function contradicting(set: number, clear: number): number {
  if (clear & PRESENT) return 0xff;
  let bits = 0;
  for (let index = 0; index < 8; index += 1) {
    const attributes = (index << 1) | PRESENT;
    if (attributes & clear || (attributes & set) !== set) bits |= 1 << index;
  }
  return bits;
}

const roundUp4 = (bytes: number) => (bytes + 3) & ~3;
