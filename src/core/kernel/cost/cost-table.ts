import type { Operation } from "../operation.ts";

/** One constant of the model: what it is believed to be, how wide it may be, and why. */
export interface Cost {
  readonly ns: number;
  readonly low: number;
  readonly high: number;
  /** high: published and cross-checked; medium: one source, or derived; low: assumed, sweep it. */
  readonly confidence: "high" | "medium" | "low";
  readonly source: string;
}

/** What takes time. Everything in nanoseconds on one CPU, unless the name says otherwise. */
export type CostKey = keyof typeof EPYC_MILAN;

export type CostTable = Readonly<Record<CostKey, Cost>>;

const cost = (
  ns: number,
  low: number,
  high: number,
  confidence: Cost["confidence"],
  source: string,
): Cost => ({ ns, low, high, confidence, source });

const ASSUMED = "assumed: no latency of this instruction is published";
const SHARE = "share of one change_page_attr round of 1.3 µs; only the sum enters results";
const ROUND = "(3.7 − 1.0)/2 µs: SEVeriFast's serial remainder per page less RMPUPDATE, two rounds";

/**
 * A Milan server and its kernel's code. Each constant says where it comes from;
 * nothing here was measured on SNP hardware by us.
 */
export const EPYC_MILAN = {
  // One CPA round, under cpa_lock where the design has it.
  readPud: cost(50, 10, 100, "low", SHARE),
  readPmd: cost(150, 20, 300, "low", `${SHARE}: lookup_address. ${ROUND}`),
  readPte: cost(800, 200, 1800, "low", `${SHARE}: static_protections, pgprot. ${ROUND}`),
  writePte: cost(350, 100, 900, "low", `${SHARE}: set_pte_atomic. ${ROUND}`),
  // A split: 2 µs of hold without its flush.
  fillTable: cost(1500, 700, 4000, "low", "512 entries written; cpa.split 2 µs without flush"),
  installTable: cost(350, 100, 700, "low", "__set_pmd_pte; cpa.split 2 µs without flush"),
  writeLarge: cost(350, 100, 700, "low", "as installTable"),
  clearMark: cost(50, 10, 100, "low", "one store"),
  scanPtes: cost(600, 300, 1500, "low", "512 entries read, 64 cache lines"),
  allocPage: cost(500, 200, 2000, "low", "alloc_pages(GFP_KERNEL), order 0, per-CPU list"),
  freePage: cost(200, 100, 500, "low", "free to the per-CPU list"),
  unmapAliases: cost(500, 100, 5000, "low", "vm_unmap_aliases with nothing to purge"),
  pgdAlloc: cost(500, 200, 1000, "low", "pgd_ctor copies 256 entries"),
  // SNP instructions.
  rmpupdate: cost(1000, 200, 3000, "low", ASSUMED),
  psmash: cost(2000, 500, 10_000, "low", ASSUMED),
  pvalidate: cost(300, 100, 2000, "low", ASSUMED),
  pvalidate2m: cost(500, 100, 2000, "low", ASSUMED),
  // TLB flush of all CPUs: what the sender waits, and what each receiver loses.
  flushIpi: cost(2000, 1000, 5000, "medium", "Norov 2017: ThunderX2 broadcast 23.2 µs, 112 CPUs"),
  flushIpiPerCpu: cost(190, 100, 700, "medium", "(23.2 − 2)/111 µs, same; no EPYC figure"),
  ipiHandler: cost(1000, 300, 3000, "low", "full local flush capped at 3 µs, tlb.rst; entry"),
  flushBroadcast: cost(1500, 500, 4000, "low", "INVLPGB and TLBSYNC: no figure is published"),
  // A cache line from the CPU that had it last, one way.
  lineSmt: cost(10, 8, 10, "high", "nviennot/core-to-core-latency@96a943a, EPYC 7R13"),
  lineL3: cost(24, 23, 25, "high", "same source and machine"),
  lineSocket: cost(110, 90, 141, "high", "same source and machine"),
  lineRemote: cost(200, 180, 270, "high", "same source and machine"),
  // Guest exits and memory.
  vmgexit: cost(3200, 2000, 4000, "medium", "CVM_eval results/cpuid: 3.85 − 0.65 µs"),
  userExit: cost(5000, 2000, 20_000, "low", "VMM and KVM_SET_MEMORY_ATTRIBUTES"),
  attributes4k: cost(50, 20, 200, "low", "one xa_store of 4 KiB in KVM_SET_MEMORY_ATTRIBUTES"),
  fault4k: cost(6000, 3000, 10_000, "medium", "TDX 8 µs a page with accept; memfd fault 6–8 µs"),
  fault2m: cost(180_000, 90_000, 1_000_000, "medium", "2 MiB zeroed at 12 GB/s, and the fault"),
  // The secure processor, one command at a time (sev_cmd_mutex).
  pspUpdate: cost(1_003_000, 900_000, 3_000_000, "high", "SEVeriFast pre-encrypt.pdf@c71bf6a"),
  pspFirstUpdate: cost(640_000, 0, 1_000_000, "medium", "same, intercept"),
  pspFixed: cost(25_000_000, 5_000_000, 60_000_000, "medium", "Firecracker slope 33.7 − 9 pages"),
  vmCreate: cost(5_000_000, 1_000_000, 70_000_000, "medium", "AMDSEV#145"),
  // The scheduler.
  contextSwitch: cost(2000, 1000, 5000, "low", "switch and cold caches"),
  wakeUp: cost(2000, 1000, 10_000, "low", "wake-up of a mutex waiter"),
  timeSlice: cost(3_000_000, 700_000, 6_000_000, "medium", "sched base_slice, 8 CPUs and more"),
} as const satisfies Readonly<Record<string, Cost>>;

/**
 * The same with the one cost that a storm of SNP VMs tells: what a page holds cpa_lock for. (31144 −
 * 9669)/39 ms a VM of 256 MiB, less the PSP's 313, are 3.62 µs a page, of which the hand-over is 0.2.
 */
const SEVERIFAST: CostTable = {
  ...EPYC_MILAN,
  readPte: cost(
    2920,
    800,
    4300,
    "medium",
    "fitted to N = 10 and 49 of SEVeriFast figs/paper/concurrent-boot.pdf@c71bf6a; docs/validation.md",
  ),
};

/** Every shipped table by name. */
export const COST_TABLES: ReadonlyMap<string, CostTable> = new Map<string, CostTable>([
  ["epyc-milan", EPYC_MILAN],
  ["severifast", SEVERIFAST],
]);

/** The table as plain numbers, some replaced. */
export type CostsNs = Readonly<Record<CostKey, number>>;

export const COST_KEYS = Object.keys(EPYC_MILAN) as readonly CostKey[];

/** Rounded to whole nanoseconds: a clock of integers is exact, and the same everywhere. */
export function costsNs(table: CostTable, replace: Readonly<Partial<CostsNs>> = {}): CostsNs {
  const all = COST_KEYS.map((key) => [key, Math.round(replace[key] ?? table[key].ns)] as const);
  return Object.fromEntries(all) as CostsNs;
}

/**
 * What an operation of the kernel model takes on its own CPU. Undefined: it depends on the machine
 * (a lock on who had it, a flush on the number of CPUs), or is free.
 */
export function costKeyOf(operation: Operation): CostKey | undefined {
  switch (operation.op) {
    case "readEntry":
      return operation.level === "pud" ? "readPud" : "readPmd";
    case "installTable":
    case "writeLarge":
    case "clearMark":
    case "readPte":
    case "writePte":
    case "scanPtes":
    case "allocPage":
    case "freePage":
    case "rmpupdate":
    case "psmash":
    case "pvalidate":
      return operation.op;
    case "freeTable":
      return "freePage";
    case "work":
      return WORK_COST[operation.fn];
    case "lock":
    case "unlock":
    case "flush":
    case "flushSend":
    case "flushWait":
    case "awaitUnmarked":
    case "return":
    case "guestAccess":
      return undefined;
  }
}

/** By the kernel function that works. */
const WORK_COST: Readonly<Record<string, CostKey>> = {
  vm_unmap_aliases: "unmapAliases",
  __split_large_page: "fillTable",
  pgd_ctor: "pgdAlloc",
};
