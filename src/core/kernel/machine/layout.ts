import { assert } from "../../assert.ts";
import type { Design } from "../design.ts";

/** Everything that fixes the size and the shape of a state. */
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
  /**
   * By page: attributes that CPUs ask contrary things of. Whether a request still shows when it
   * returns is not judged by them: another CPU may have asked otherwise since. Absent: none.
   */
  readonly contested?: readonly number[];
}

// PMD and PUD bytes: attributes of a large entry, or these.
export const TABLE = 0x10;
export const MARK = 0x20;

// RMP byte of a page: assigned to the guest, validated by the guest.
export const ASSIGNED = 1;
export const VALIDATED = 2;

/**
 * Where each part of a state is: byte offsets, -1 where a part is not modelled.
 *
 * A state is a header, which all CPUs share, and a block for each CPU, all blocks alike: so that
 * states that differ only in which CPU is which differ only in the order of their blocks. Small,
 * so that it can be stored exactly: 4 bytes a CPU and 4 to 12 for the rest, where nothing collapses
 * and no RMP is modelled.
 */
export interface Layout {
  readonly setup: MachineSetup;
  /** Length of a state, a multiple of 4. */
  readonly bytes: number;
  /** Bytes before the first CPU's block. */
  readonly headerBytes: number;
  readonly blockBytes: number;
  /** TLBs that are modelled: one that stands for all, or one for each CPU. */
  readonly observers: number;
  readonly pageOfCpu: Int32Array;
  readonly regionOfPage: Int32Array;

  // By lock number, in the order of the design: its first byte, and 1 if it has one for each region.
  readonly lock: Int32Array;
  readonly lockPerPmd: Uint8Array;
  readonly pud: number;
  /** By region. */
  readonly pmd: Int32Array;
  /** By page: PTE in the low half, what the page's owner last asked for in the high half. */
  readonly pte: Int32Array;
  // What a TLB may hold, as sets of attributes: by observer; observer × region; observer × page.
  readonly hugeTlb: Int32Array;
  readonly largeTlb: Int32Array;
  readonly smallTlb: Int32Array;
  /** By page. */
  readonly rmp: Int32Array;
  /** By region; 1: it is one 2 MiB RMP entry of the guest's, which governs its pages. */
  readonly rmpLarge: Int32Array;

  // In a CPU's block, after its node (2 bytes) and its own page: see detached-table.ts (4 bytes),
  // the CPUs that have not answered its IPI (2), its store buffer (2 for each entry).
  readonly pointer: number;
  readonly ipi: number;
  readonly buffer: number;
}

/** Lays a state out, header first. */
export function layOut(setup: MachineSetup): Layout {
  const { cpus, regions, pages, design } = setup;
  assert(cpus >= 1 && cpus <= 16, "1 to 16 CPUs");
  assert(pages >= 1 && regions >= 1 && pages >= regions, "each region has a page");
  const perCpuTlb = setup.flush === "ipi";
  const hasPud = setup.start === "1g";
  const hasRmp = setup.rmp !== "none";
  const observers = perCpuTlb ? cpus : 1;

  let at = 0;
  const next = (bytes = 1) => {
    at += bytes;
    return at - bytes;
  };
  const each = (count: number, is = true) =>
    Int32Array.from({ length: count }, () => (is ? next() : -1));

  const pud = hasPud ? next() : -1;
  const pmd = each(regions);
  const lockPerPmd = Uint8Array.from(Object.values(design.locks), (l) => Number(l.scope === "pmd"));
  const lock = Int32Array.from(lockPerPmd, (perPmd) => next(perPmd ? regions : 1));
  const hugeTlb = each(observers, hasPud);
  const largeTlb = each(observers * regions);
  const rmpLarge = each(regions, hasRmp);

  // A page's column: PTE, small TLB entry, RMP entry. In its owner's block if it has one.
  const pte = new Int32Array(pages);
  const smallTlb = new Int32Array(observers * pages);
  const rmp = new Int32Array(pages).fill(-1);
  const columnBytes = hasRmp ? 3 : 2;
  const column = (page: number, first: number) => {
    pte[page] = first;
    if (!perCpuTlb) smallTlb[page] = first + 1;
    if (hasRmp) rmp[page] = first + 2;
  };
  const owned = pages >= cpus && !perCpuTlb ? cpus : 0;
  for (let page = owned; page < pages; page += 1) column(page, next(columnBytes));
  if (perCpuTlb) for (let i = 0; i < smallTlb.length; i += 1) smallTlb[i] = next();
  const headerBytes = roundUp4(at);

  at = 2;
  const ownColumn = owned > 0 ? next(columnBytes) : -1;
  const pointer = setup.tracksTables ? next(4) : -1;
  const ipi = perCpuTlb ? next(2) : -1;
  const buffer = setup.storeBuffer > 0 ? next(2 * setup.storeBuffer) : -1;
  const blockBytes = roundUp4(at);
  for (let cpu = 0; cpu < owned; cpu += 1) column(cpu, headerBytes + cpu * blockBytes + ownColumn);

  return {
    setup,
    bytes: headerBytes + cpus * blockBytes,
    headerBytes,
    blockBytes,
    observers,
    pageOfCpu: Int32Array.from({ length: cpus }, (_, cpu) => cpu % pages),
    regionOfPage: Int32Array.from({ length: pages }, (_, page) => page % regions),
    lock,
    lockPerPmd,
    pud,
    pmd,
    pte,
    hugeTlb,
    largeTlb,
    smallTlb,
    rmp,
    rmpLarge,
    pointer,
    ipi,
    buffer,
  };
}

/** First byte of a CPU's block. */
export function blockOf(l: Layout, cpu: number): number {
  return l.headerBytes + cpu * l.blockBytes;
}

const roundUp4 = (bytes: number) => (bytes + 3) & ~3;
