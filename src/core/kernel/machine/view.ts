import { attributesOfTlbSet } from "../attributes.ts";
import { ASSIGNED, blockOf, type Layout, MARK, TABLE, VALIDATED } from "./layout.ts";
import { holderOf } from "./lock.ts";

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

/** Slow; for counterexamples and tests. */
export function viewOf(l: Layout, s: Uint8Array): MachineView {
  const { pages, regions, cpus, design } = l.setup;
  return {
    ...tablesOf(l, s),
    asked: range(pages).map((p) => s[l.pte[p]!]! >> 4),
    tlbs: range(l.observers).map((o) => ({
      huge: l.pud < 0 ? [] : attributesOfTlbSet(s[l.hugeTlb[o]!]!),
      large: range(regions).map((r) => attributesOfTlbSet(s[l.largeTlb[o * regions + r]!]!)),
      small: range(pages).map((p) => attributesOfTlbSet(s[l.smallTlb[o * pages + p]!]!)),
    })),
    locks: Object.entries(design.locks).flatMap(([name, { scope }], lock) =>
      range(scope === "pmd" ? regions : 1).map((r) => ({ name, held: holderOf(l, s, lock, r) })),
    ),
    detached: range(cpus).map((cpu) => {
      if (l.pointer < 0) return undefined;
      const at = blockOf(l, cpu) + l.pointer;
      if (s[at + 1] === 0) return undefined;
      return { attributes: s[at + 2]!, cached: s[at + 3] !== 0 };
    }),
    rmp: range(pages).map((p) => {
      if (l.rmp[p]! < 0) return undefined;
      const entry = s[l.rmp[p]!]!;
      return { assigned: (entry & ASSIGNED) !== 0, validated: (entry & VALIDATED) !== 0 };
    }),
  };
}

function tablesOf(l: Layout, s: Uint8Array): Pick<MachineView, "pud" | "pmds" | "ptes"> {
  const pud = l.pud < 0 ? undefined : s[l.pud]!;
  return {
    pud: pud === undefined ? undefined : pud & TABLE ? "table" : pud & 15,
    pmds: range(l.setup.regions).map((r) => {
      const pmd = s[l.pmd[r]!]!;
      if (pud !== undefined && !(pud & TABLE)) return undefined;
      return pmd & TABLE ? (pmd & MARK ? "marked table" : "table") : pmd & 15;
    }),
    ptes: range(l.setup.pages).map((p) => {
      const pmd = s[l.pmd[l.regionOfPage[p]!]!]!;
      return pmd & TABLE ? s[l.pte[p]!]! & 15 : undefined;
    }),
  };
}

const range = (count: number) => Array.from({ length: count }, (_, i) => i);
