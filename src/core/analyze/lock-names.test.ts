import { expect, test } from "vitest";
import { type DrawnWait, traceOf } from "../../../test/fixtures/trace.ts";
import { nameLocks } from "./lock-names.ts";

const SLOWPATH = [
  "trace_event_raw_event_contention_begin",
  "__traceiter_contention_begin",
  "__pv_queued_spin_lock_slowpath",
];
const STATIC = [0xffffffff83b53c30n, 0xffffffff83b53c70n, 0xffffffff83b53cb0n];

/** Names of locks 0, 1, … waited for from these stacks; stacks are of Linux 6.18, recorded. */
function names(waits: readonly (readonly [lock: number, ...stack: string[]])[], locks = STATIC) {
  const drawn = waits.map(
    ([lock, ...stack], t): DrawnWait => ({ t, waitNs: 1, lock, stack: [...SLOWPATH, ...stack] }),
  );
  return nameLocks(traceOf(drawn, { locks })).map(({ name, evidence }) => `${name} by ${evidence}`);
}

test("cpa_lock is known by the function that takes it, where the kernel has no name for it", () => {
  expect(
    names([
      [
        0,
        "_raw_spin_lock",
        "__change_page_attr_set_clr",
        "set_direct_map_invalid_noflush",
        "secretmem_fault",
      ],
    ])[0],
  ).toBe("cpa_lock by caller");
});

test("pgd_lock is known by one wait in pgd_alloc, though splits take it in the same function as cpa_lock", () => {
  const split = ["_raw_spin_lock", "__change_page_attr_set_clr", "set_memory_4k"];
  const result = names([
    [0, ...split],
    [0, ...split],
    [1, ...split],
    [1, ...split],
    [1, ...split],
    [1, "_raw_spin_lock", "pgd_alloc", "mm_init", "dup_mm"],
  ]);
  expect(result.slice(0, 2)).toEqual(["cpa_lock by caller", "pgd_lock by caller"]);
});

test("two locks never have the name of one that exists once: the most waited for has it", () => {
  const split = ["_raw_spin_lock", "__change_page_attr_set_clr"];
  expect(
    names([
      [0, ...split],
      [1, ...split],
      [1, ...split],
    ]),
  ).toEqual(["0xffffffff83b53c30 by none", "cpa_lock by caller", "0xffffffff83b53cb0 by none"]);
});

test("memory the kernel allocated cannot be a lock of its image", () => {
  expect(
    names([[0, "_raw_spin_lock", "__change_page_attr_set_clr"]], [0xffff888100000040n])[0],
  ).toBe("0xffff888100000040 by none");
});

test("the symbol table decides where it has the lock", () => {
  const trace = traceOf([{ t: 1, waitNs: 1, stack: ["_raw_spin_lock", "whatever"] }]);
  const named = {
    ...trace,
    strings: [...trace.strings, "cpa_lock"],
    locks: { ...trace.locks, symbols: Int32Array.of(trace.strings.length) },
  };
  expect(nameLocks(named)[0]).toEqual({
    name: "cpa_lock",
    address: "0xffffffff83b53c30",
    evidence: "symbol",
  });
});

test.each([
  ["zone->lock", ["_raw_spin_lock_irqsave", "rmqueue_bulk.constprop.0", "get_page_from_freelist"]],
  [
    "lruvec->lru_lock",
    ["_raw_spin_lock_irqsave", "folio_lruvec_lock_irqsave", "folio_batch_move_lru"],
  ],
  ["rq->lock", ["_raw_spin_lock", "raw_spin_rq_lock_nested", "__schedule", "schedule"]],
  [
    "mmap_lock",
    [
      "rwsem_down_read_slowpath",
      "down_read_killable",
      "lock_mm_and_find_vma",
      "do_user_addr_fault",
    ],
  ],
  ["page-table lock", ["_raw_spin_lock", "__pte_offset_map_lock", "do_anonymous_page"]],
  ["file->f_pos_lock", ["__mutex_lock.constprop.0", "fdget_pos", "ksys_read"]],
  ["jiffies_lock", ["_raw_spin_lock", "tick_do_update_jiffies64", "tick_nohz_handler"]],
  ["hrtimer base", ["_raw_spin_lock_irqsave", "hrtimer_try_to_cancel.part.0"]],
])("%s is known by who takes it", (name, stack) => {
  expect(names([[0, ...stack]])[0]).toBe(`${name} by caller`);
});
