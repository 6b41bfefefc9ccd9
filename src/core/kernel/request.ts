import { NO_EXECUTE, PRESENT, UNCACHED, WRITABLE } from "./attributes.ts";

/**
 * One call of the kernel's interface for page attributes, on the caller's own 4 KiB page or on a
 * whole 2 MiB.
 */
export interface Request {
  readonly name: string;
  /** The kernel function. */
  readonly fn: string;
  readonly set: number;
  readonly clear: number;
  /** `set_memory_*` goes through change_page_attr_set_clr and flushes before it returns. */
  readonly via:
    | "set_memory"
    | "set_direct_map"
    | "collapse"
    | "rmpupdate-2022"
    | "rmpupdate-6.9"
    | "fork";
  readonly scope: "page" | "2M";
  /** Splits the large entry even when no attribute changes (set_memory_4k). */
  readonly forceSplit: boolean;
  /** CPA_COLLAPSE: try to make a large page again afterwards, if the kernel can. */
  readonly collapse: boolean;
  /** For the SNP paths: the state that is asked for. */
  readonly guest?: "private" | "shared";
}

const base = {
  set: 0,
  clear: 0,
  via: "set_memory",
  scope: "page",
  forceSplit: false,
  collapse: false,
} as const;

function setMemory(name: string, change: { set?: number; clear?: number }): Request {
  return { ...base, name, fn: `set_memory_${name}`, ...change };
}

const pageRequests: readonly Request[] = [
  setMemory("ro", { clear: WRITABLE }),
  setMemory("rw", { set: WRITABLE }),
  setMemory("nx", { set: NO_EXECUTE }),
  setMemory("x", { clear: NO_EXECUTE }),
  setMemory("uc", { set: UNCACHED }),
  setMemory("wb", { clear: UNCACHED }),
  setMemory("np", { clear: PRESENT | WRITABLE }),
  setMemory("p", { set: PRESENT | WRITABLE }),
  { ...setMemory("rox", { clear: WRITABLE | NO_EXECUTE }), collapse: true },
  { ...setMemory("4k", {}), forceSplit: true },
  {
    ...base,
    name: "invalid",
    fn: "set_direct_map_invalid_noflush",
    clear: PRESENT | WRITABLE,
    via: "set_direct_map",
  },
  {
    ...base,
    name: "default",
    fn: "set_direct_map_default_noflush",
    set: PRESENT | WRITABLE,
    via: "set_direct_map",
  },
];

/** The whole 2 MiB at once: changes the large entry in place where there is one. */
const largeRequests: readonly Request[] = pageRequests
  .filter((r) => ["ro", "rw", "nx", "x", "uc", "wb"].includes(r.name))
  .map((r) => ({ ...r, name: `${r.name}-2m`, scope: "2M" as const }));

const otherRequests: readonly Request[] = [
  // What a caller of CPA_COLLAPSE does after its own change is done and flushed.
  { ...base, name: "collapse", fn: "cpa_collapse_large_pages", via: "collapse", collapse: true },
  // Every fork and exec takes pgd_lock on x86-64 (SHARED_KERNEL_PMD is 0): collateral of a split.
  { ...base, name: "fork", fn: "pgd_alloc", via: "fork" },
  ...(["private", "shared"] as const).flatMap((guest) =>
    (["2022", "6.9"] as const).map(
      (generation): Request => ({
        ...base,
        name: `${guest}-${generation}`,
        fn: guest === "private" ? "rmp_make_private" : "rmp_make_shared",
        via: `rmpupdate-${generation}`,
        guest,
      }),
    ),
  ),
];

/** Every request a program can be made of, by name. */
export const REQUESTS: ReadonlyMap<string, Request> = new Map(
  [...pageRequests, ...largeRequests, ...otherRequests].map((r) => [r.name, r]),
);
