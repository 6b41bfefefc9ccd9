import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { readLockStat } from "./lock-stat.ts";

// Of Linux 6.12.117 with the patch skip-for-present, QEMU 7.2 emulating 4 vCPUs, `split` with 4 threads.
// Some of its locks.
const rule = (from: number, length: number, sign = "-") => " ".repeat(from) + sign.repeat(length);
const HEADER = [
  "lock_stat version 0.4",
  rule(0, 221),
  "                              class name    con-bounces    contentions   waittime-min   waittime-max waittime-total   waittime-avg    acq-bounces   acquisitions   holdtime-min   holdtime-max holdtime-total   holdtime-avg",
  rule(0, 221),
  "",
];
const CPA_LOCK = [
  "                                cpa_lock:            44             59           0.59      463402.24     1378805.69       23369.59             72            160           2.36       48205.65      492420.60        3077.63",
  rule(32, 8),
  "                                cpa_lock             27          [<00000000730a29e5>] __change_page_attr_set_clr+0x9f9/0x1050",
  "                                cpa_lock             32          [<00000000dfa3bd76>] __change_page_attr_set_clr+0x4ba/0x1050",
  rule(32, 8),
  "                                cpa_lock             40          [<00000000dfa3bd76>] __change_page_attr_set_clr+0x4ba/0x1050",
  "                                cpa_lock             19          [<00000000730a29e5>] __change_page_attr_set_clr+0x9f9/0x1050",
  "",
  rule(0, 221, "."),
  "",
];
const RQ_LOCK = [
  "                             &rq->__lock:             5              5           4.77       25367.06       37563.95        7512.79             50            646           0.34       15352.57       37595.11          58.20",
  rule(29, 11),
  "                             &rq->__lock              4          [<0000000083dd060c>] __schedule+0x6f/0x620",
  "                             &rq->__lock              1          [<00000000d6c50a74>] raw_spin_rq_lock_nested+0x9/0x10",
  rule(29, 11),
  "                             &rq->__lock              3          [<00000000cf4f35cf>] __task_rq_lock+0x3a/0xb0",
  "                             &rq->__lock              1          [<00000000091b9526>] try_to_wake_up+0x21d/0x3e0",
  "                             &rq->__lock              1          [<00000000d6c50a74>] raw_spin_rq_lock_nested+0x9/0x10",
  "",
  rule(0, 221, "."),
  "",
];
const line = (name: string, contended: number, acquired: number) =>
  `${name.padStart(40)}:${`${contended}`.padStart(14)} ${`${contended}`.padStart(14)}           0.00           0.00           0.00           0.00 ${"0".padStart(14)} ${`${acquired}`.padStart(14)}           1.29          21.52          57.59           6.40`;
const QUIET = [line("&mm->mmap_lock-W", 0, 17), line("&mm->mmap_lock-R", 0, 12)];

test("who waited, how long, and in which function; times are ns", () => {
  expect(readLockStat([...HEADER, ...CPA_LOCK, ...RQ_LOCK])).toEqual([
    {
      name: "cpa_lock",
      acquired: 160,
      contended: 59,
      waitNsTotal: 1_378_805_690,
      waitNsMax: 463_402_240,
      holdNsTotal: 492_420_600,
      waiters: [{ fn: "__change_page_attr_set_clr", contended: 59 }],
    },
    {
      name: "&rq->__lock",
      acquired: 646,
      contended: 5,
      waitNsTotal: 37_563_950,
      waitNsMax: 25_367_060,
      holdNsTotal: 37_595_110,
      // Those below the second rule held it.
      waiters: [
        { fn: "__schedule", contended: 4 },
        { fn: "raw_spin_rq_lock_nested", contended: 1 },
      ],
    },
  ]);
});

test("the modes of a rw lock are one lock, and so are classes of one name", () => {
  const twice = readLockStat([...HEADER, ...QUIET, ...CPA_LOCK, line("&mm->mmap_lock-W", 0, 1)]);
  expect(twice!.map(({ name, acquired }) => [name, acquired])).toEqual([
    ["&mm->mmap_lock", 30],
    ["cpa_lock", 160],
  ]);
});

test.each([
  "(null)",
  "drivers/char/random.c:249",
  "&(({ do { const void *__vpp_verify = ",
  "ptlock_ptr(ptdesc)#2/1",
  "&sb->s_type->i_lock_key#1",
  "put_task_map-wait-type-override",
])("a name as the kernel cuts and marks it: %s", (name) => {
  expect(readLockStat([...HEADER, line(name, 0, 3)])).toMatchObject([{ name }]);
});

test("a lock that nobody took is left out", () => {
  expect(readLockStat([...HEADER, line("pgd_lock", 0, 0)])).toEqual([]);
});

describe("what may miss a lock is no statistics at all", () => {
  const whole = [...HEADER, ...CPA_LOCK, ...QUIET];
  test.each([
    ["nothing", []],
    ["another version", ["lock_stat version 0.3", ...whole.slice(1)]],
    ["cut within the heading", whole.slice(0, 2)],
    ["a line cut in the middle", [...whole, line("pgd_lock", 3, 9).slice(0, 120)]],
    ["a message in the middle of a line", [...whole, "  pgd_lock:   [ 3.0] BUG: x"]],
    ["a waiter of no lock", [...HEADER, CPA_LOCK[2]!]],
    ["a point cut in its address", [...HEADER, ...CPA_LOCK.slice(0, 2), CPA_LOCK[2]!.slice(0, 70)]],
    ["it no longer counts", [whole[0]!, "*WARNING* lock debugging disabled!!", ...whole.slice(1)]],
    ["what a terminal would obey", [...whole, line("\u001b[31mpgd_lock", 0, 9)]],
    [
      "more than can be counted",
      [...whole, ...Array(10).fill(line("pgd_lock", 0, 999999999999999))],
    ],
    [
      "more locks than there are",
      [...whole, ...Array.from({ length: 8192 }, (_, i) => line(`${i}`, 0, 1))],
    ],
    ["no end of lines", [...whole, ...Array(120_000).fill("")]],
    ["a name that no kernel prints", [...whole, line("x".repeat(260), 0, 9)]],
    ["no end of a line", [...whole, " ".repeat(1_000_000)]],
  ])("%s", (_, lines) => {
    expect(readLockStat(whole)).toHaveLength(2);
    expect(readLockStat(lines)).toBeUndefined();
  });

  test("no lines at all make it throw, or give a number that is none", () => {
    const some = fc.oneof(fc.constantFrom(...CPA_LOCK, ...QUIET), fc.string());
    fc.assert(
      fc.property(fc.array(some, { maxLength: 20 }), (lines) => {
        for (const lock of readLockStat([...HEADER, ...lines]) ?? []) {
          expect(Number.isSafeInteger(lock.waitNsTotal)).toBe(true);
          expect(lock.acquired).toBeGreaterThan(0);
        }
      }),
    );
  });
});
