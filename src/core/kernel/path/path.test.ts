import { expect, it } from "vitest";
import { formatAttributes, PAGE_KERNEL } from "../attributes.ts";
import { DESIGN_BY_NAME } from "../design/index.ts";
import { KIND } from "../machine/instruction.ts";
import { Machine } from "../machine.ts";
import { labelOf } from "../operation.ts";
import { REQUESTS } from "../request.ts";
import { program } from "./program.ts";

/** One CPU alone runs its requests; every step, private ones too, and the state at the end. */
function runAlone(name: string, requests: string, start: "1g" | "2m" | "4k" = "2m") {
  const design = DESIGN_BY_NAME.get(name)!;
  const machine = new Machine({
    design,
    cpus: 1,
    regions: 1,
    pages: 2,
    start,
    tracksTables: true,
    rmp: "hypervisor",
    flush: "broadcast",
    storeBuffer: 0,
  });
  const state = new Uint8Array(machine.bytes);
  machine.initial(state);
  const asked = requests.split(" ").map((r) => REQUESTS.get(r)!);
  const path = program({ design, flush: "broadcast", pud: start === "1g" }, asked, 2);
  const labels: string[] = [];
  let result = 0;
  for (let step = path.next(0); !step.done; step = path.next(result)) {
    labels.push(labelOf(step.value));
    const { kind, a, b, c } = machine.compile(step.value);
    result = kind === KIND.local ? 0 : machine.apply(state, 0, kind, a, b, c);
    expect(result, labels.at(-1)).toBeGreaterThanOrEqual(0);
  }
  return { labels, view: machine.view(state) };
}

it("set_memory_ro of a page under a 2M entry, 4.20: the steps of the C, in its order", () => {
  const { labels, view } = runAlone("linux-4.20", "ro");
  expect(labels).toEqual([
    "vm_unmap_aliases: purge lazily freed vmalloc areas",
    "__change_page_attr_set_clr: lock cpa_lock",
    "lookup_address: read PMD",
    "should_split_large_page: lock pgd_lock",
    "should_split_large_page: look up again",
    "should_split_large_page: unlock pgd_lock",
    "split_large_page: unlock cpa_lock",
    "split_large_page: alloc_pages(GFP_KERNEL)",
    "split_large_page: lock cpa_lock",
    "__split_large_page: lock pgd_lock",
    "__split_large_page: look up again",
    "__split_large_page: fill 512 entries",
    "__split_large_page: __set_pmd_pte: install the table",
    "__split_large_page: flush_tlb_all",
    "__split_large_page: unlock pgd_lock",
    "lookup_address: read PMD",
    "__change_page_attr: read PTE",
    "__change_page_attr: set_pte_atomic",
    "__change_page_attr_set_clr: unlock cpa_lock",
    "cpa_flush: flush the range",
    "set_memory_ro: return",
  ]);
  expect(view.pmds).toEqual(["table"]);
  expect(view.ptes.map((pte) => formatAttributes(pte!))).toEqual(["ro nx", "rw nx"]);
  // The flush dropped what the page had before; the neighbour's translation was loaded again.
  expect(view.tlbs[0]).toEqual({ huge: [], large: [[]], small: [[5], [7]] });
});

it("a 1G entry is split twice on the way to 4K", () => {
  const { labels, view } = runAlone("linux-4.20", "ro", "1g");
  expect(labels.filter((label) => label.includes("__set_pmd_pte"))).toHaveLength(2);
  expect(view).toMatchObject({ pud: "table", pmds: ["table"], ptes: [5, 7] });
});

it("a request that changes nothing takes the lock and leaves everything as it was", () => {
  const { labels, view } = runAlone("linux-4.20", "rw");
  expect(labels.at(-1)).toBe("set_memory_rw: return");
  expect(labels).not.toContain("cpa_flush: flush the range");
  expect(view.pmds).toEqual([PAGE_KERNEL]);
});

it("invalid and default: two stores, and no flush but that of the split", () => {
  const { labels, view } = runAlone("linux-4.20", "invalid default");
  expect(labels.filter((label) => label.includes("set_pte_atomic"))).toHaveLength(2);
  expect(labels.filter((label) => /: flush/.test(label))).toEqual([
    "__split_large_page: flush_tlb_all",
  ]);
  expect(view.ptes).toEqual([PAGE_KERNEL, PAGE_KERNEL]);
});

it("the whole 2M at once changes the large entry in place", () => {
  const { labels, view } = runAlone("linux-4.20", "ro-2m");
  expect(labels.some((label) => label.includes("alloc_pages"))).toBe(false);
  expect(view.pmds.map((pmd) => formatAttributes(pmd as number))).toEqual(["ro nx"]);
});

it("a split 2M whose pages agree is collapsed again, and the table freed after the flush", () => {
  const { labels, view } = runAlone("linux-7.3", "4k collapse");
  expect(labels.slice(-9)).toEqual([
    "collapse_pmd_page: read PMD",
    "collapse_pmd_page: 512 PTEs present and equal?",
    "collapse_pmd_page: set the 2M entry, queue the table",
    "collapse_pmd_page: unlock pgd_lock",
    "cpa_collapse_large_pages: flush_tlb_all",
    "cpa_collapse_large_pages: free the old table",
    "cpa_collapse_large_pages: unlock cpa_lock",
    "cpa_collapse_large_pages: unlock init_mm",
    "cpa_collapse_large_pages: return",
  ]);
  expect(view).toMatchObject({ pmds: [PAGE_KERNEL], detached: [undefined] });
});

it("page state change, host of 2022: unmap, RMPUPDATE, validate; and back", () => {
  const { labels, view } = runAlone("linux-4.20", "private-2022 shared-2022");
  const snp = labels.filter((label) => /set_pte|rmpupdate|valid/i.test(label));
  expect(snp).toEqual([
    "__change_page_attr: set_pte_atomic",
    "rmpupdate: RMPUPDATE to the guest",
    "pvalidate_pages: guest PVALIDATE(1)",
    "snp_set_memory_shared: guest PVALIDATE(0)",
    "rmpupdate: RMPUPDATE to the hypervisor",
    "__change_page_attr: set_pte_atomic",
  ]);
  expect(view.rmp[0]).toEqual({ assigned: false, validated: false });
});

it("page state change, host of 6.9: splits once, stores no PTE", () => {
  const { labels } = runAlone("linux-4.20", "private-6.9 shared-6.9");
  expect(labels.filter((label) => label.includes("install"))).toHaveLength(1);
  expect(labels.filter((label) => label.includes("set_pte"))).toEqual([]);
});
