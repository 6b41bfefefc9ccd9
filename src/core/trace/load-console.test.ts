import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { bootOf } from "../../../test/fixtures/kernel-boots.ts";
import type { LoadOrder } from "../event/kernel-run.ts";
import {
  kernelBootLine,
  kernelBootsHeaderLine,
  readKernelBoots,
} from "../event/kernel-run-codec.ts";
import { readLoadConsole } from "./load-console.ts";

// Pieces of consoles of Linux 6.12.117 with kernel/load, in QEMU 7.2 emulating 4 vCPUs.
const STARTS = "[    0.028656] random: crng init done";
const TOGGLE =
  'bootstorm-load: {"release":"6.12.117-stock","cpus":4,"hypervisor":false,"spinlock":"queued","debugPagealloc":false,"tscKhz":2596120,"load":"toggle","threads":4,"blocks":4,"shared":false,"ops":46925,"opsPerThread":100000,"opsFailed":0,"splits":0,"elapsedCycles":12983478334,"latencyCycles":{"mean":1106058,"p50":327679,"p90":2883583,"p99":9961471,"max":49266072},"perThread":[{"ops":6129,"beginCycles":7955482,"endCycles":12981447656},{"ops":17529,"beginCycles":340,"endCycles":12983478334},{"ops":6127,"beginCycles":8387548,"endCycles":12982550474},{"ops":17140,"beginCycles":0,"endCycles":12981021570}]}';
const SPLIT =
  'bootstorm-load: {"release":"6.12.117-stock","cpus":4,"hypervisor":true,"spinlock":"test-and-set","debugPagealloc":false,"tscKhz":2596120,"load":"split","threads":1,"blocks":27,"shared":false,"ops":25,"opsPerThread":25,"opsFailed":0,"splits":25,"elapsedCycles":37513788,"latencyCycles":{"mean":1500498,"p50":294911,"p90":7602175,"p99":8473088,"max":8473088},"perThread":[{"ops":25,"beginCycles":0,"endCycles":37513788}]}';
const MIXED =
  'bootstorm-load: {"release":"6.12.117-stock+debug","cpus":4,"hypervisor":true,"spinlock":"test-and-set","debugPagealloc":false,"tscKhz":2596120,"load":"mixed","threads":4,"blocks":4,"shared":false,"ops":4228466,"opsPerThread":1024,"opsFailed":0,"splits":3,"wrongEntries":0,"wrongAccesses":0,"elapsedCycles":19778045694,"latencyCycles":{"mean":18629,"p50":3839,"p90":4607,"p99":6399,"max":114278450},"perThread":[{"ops":2050038,"beginCycles":0,"endCycles":19777914808},{"ops":1024,"beginCycles":17810,"endCycles":19564952552},{"ops":2176380,"beginCycles":4464668,"endCycles":19778045694},{"ops":1024,"beginCycles":4237922,"endCycles":19777000624}]}';
const LOCK_STAT = [
  "lock_stat version 0.4",
  "------------------------------",
  "                              class name    con-bounces    contentions   waittime-min   waittime-max waittime-total   waittime-avg    acq-bounces   acquisitions   holdtime-min   holdtime-max holdtime-total   holdtime-avg",
  "------------------------------",
  "",
  "                                pgd_lock:             0              0           0.00           0.00           0.00           0.00              1              4           3.62           5.77          18.55           4.64",
].map((line) => `bootstorm-lock-stat: ${line}`);
const NO_MEMORY = [
  "sh: write error: Cannot allocate memory",
  'bootstorm-load: {"failed":"split threads=1 ops=25 warm_up=2"}',
];
const DONE = 'bootstorm-load: {"done":true}';
const ENDS = ["[    1.259325] reboot: Restarting system", "[    1.259951] reboot: machine restart"];

const order = (load: LoadOrder["load"], threads: number, ops: number): LoadOrder => ({
  load,
  threads,
  ops,
  warmUp: 0,
  limitMs: 20_000,
});
const toggle = order("toggle", 4, 100_000);
const split = order("split", 1, 25);
const mixed = order("mixed", 4, 1024);

const read = (orders: readonly LoadOrder[], ...lines: readonly string[]) =>
  readLoadConsole(lines.map((line) => `${line}\r\n`).join(""), orders);

describe("each order has its answer, in turn", () => {
  test("times are ns by the guest's TSC; a limit leaves fewer operations than were asked for", () => {
    expect(read([toggle, split], STARTS, TOGGLE, SPLIT, DONE, ...ENDS)).toEqual({
      measurements: [
        {
          order: toggle,
          result: {
            spinlock: "queued",
            debugPagealloc: false,
            ops: 46_925,
            opsAsked: 400_000,
            opsFailed: 0,
            splits: 0,
            // 12,983,478,334 cycles / 2.59612 GHz
            elapsedNs: 5_001_108_706,
            latencyNs: {
              mean: 426_043,
              p50: 126_219,
              p90: 1_110_728,
              p99: 3_837_061,
              max: 18_976_808,
            },
          },
        },
        { order: split, result: expect.objectContaining({ splits: 25, spinlock: "test-and-set" }) },
      ],
      complaints: [],
      release: "6.12.117-stock",
      done: true,
    });
  });

  test("mixed: odd threads change attributes, and what was wrong is told", () => {
    const { measurements } = read([mixed], MIXED, DONE);
    expect(measurements).toMatchObject([
      {
        result: { ops: 4_228_466, opsAsked: 2048, attributeChanges: 2048, wrongEntries: 0 },
      },
    ]);
  });

  test.each([
    [
      "without a word on what was wrong: no data is not 0",
      '"wrongEntries":0,',
      "",
      "wrongEntries: not a number",
    ],
    [
      "of which one thread did more than all",
      '"ops":4228466',
      '"ops":2047',
      "perThread: more than ops",
    ],
  ])("mixed %s: refused", (_, part, other, why) => {
    const { measurements } = read([mixed], MIXED.replace(part, other), DONE);
    expect(measurements).toEqual([
      { order: mixed, failed: `the guest's answer is refused: ${why}` },
    ]);
  });

  test("an order that fails has the shell's reason, whatever the kernel says in between", () => {
    const [reason, failed] = NO_MEMORY as [string, string];
    const { measurements, done } = read(
      [toggle, split, split],
      TOGGLE,
      reason,
      "[    1.000001] bash (48): drop_caches: 3",
      failed,
      failed,
      DONE,
    );
    expect(done).toBe(true);
    expect(measurements.slice(1)).toEqual([
      { order: split, failed: "write error: Cannot allocate memory" },
      { order: split, failed: "the guest gave no reason" },
    ]);
  });

  test.each([
    ["another load", SPLIT],
    ["other threads", TOGGLE.replace('"threads":4', '"threads":2')],
    ["other operations", TOGGLE.replace('"opsPerThread":100000', '"opsPerThread":500')],
  ])("%s: refused, and the next answer stays that of the next order", (_, line) => {
    const { measurements } = read([toggle, split], line, SPLIT, DONE);
    expect(measurements).toEqual([
      { order: toggle, failed: "the guest's answer is refused: it is not of this order" },
      { order: split, result: expect.objectContaining({ ops: 25 }) },
    ]);
  });

  test("an answer that a message of the kernel tore up is a failure, and the message is heard", () => {
    const torn = `${TOGGLE.slice(0, 60)}[    2.123456] WARNING: CPU: 1 PID: 7 at mm/slab.c:1`;
    const { measurements, complaints } = read([toggle, split], torn, TOGGLE.slice(60), SPLIT, DONE);
    expect(measurements).toMatchObject([
      { failed: expect.stringContaining("refused") },
      { result: { ops: 25 } },
    ]);
    expect(complaints).toEqual(["WARNING: CPU: 1 PID: 7 at mm/slab.c:1"]);
  });

  test.each([
    ["no time at all", '"elapsedCycles":12983478334', '"elapsedCycles":0'],
    ["no operation", '"ops":46925', '"ops":0'],
    ["no clock", '"tscKhz":2596120', '"tscKhz":0'],
    ["a thread too few", '{"ops":6129,"beginCycles":7955482,"endCycles":12981447656},', ""],
    ["an unknown lock", '"queued"', '"mcs"'],
    ["a time that is none", '"p99":9961471', '"p99":1e300'],
    ["a time that overflows", '"tscKhz":2596120', '"tscKhz":1'],
    ["no release", '"release":"6.12.117-stock",', ""],
  ])("%s: refused", (_, part, other) => {
    expect(TOGGLE).toContain(part);
    const { measurements } = read([toggle], TOGGLE.replace(part, other), DONE);
    expect(measurements).toMatchObject([{ failed: expect.stringContaining("refused: ") }]);
  });

  test("a guest that says more than it was asked is not heard", () => {
    const { measurements } = read([toggle], TOGGLE, TOGGLE, DONE, TOGGLE);
    expect(measurements).toHaveLength(1);
  });

  test("orders that a guest has left out are failures", () => {
    const { measurements, done } = read([toggle, split], TOGGLE, DONE, SPLIT);
    expect(done).toBe(true);
    expect(measurements[1]).toEqual({ order: split, failed: "the guest gave no answer" });
  });
});

describe("lock statistics are those of the order before them", () => {
  test("of each its own", () => {
    const { measurements } = read([toggle, split], TOGGLE, ...LOCK_STAT, SPLIT, DONE);
    expect(measurements[0]).toMatchObject({ locks: [{ name: "pgd_lock", acquired: 4 }] });
    expect(measurements[1]).not.toHaveProperty("locks");
  });

  test("cut short they are none: a lock that is missing is not one that nobody took", () => {
    const { measurements } = read([toggle], TOGGLE, ...LOCK_STAT);
    expect(measurements[0]).toHaveProperty("result");
    expect(measurements[0]).not.toHaveProperty("locks");
  });
});

describe("what the kernel complains of", () => {
  const COMPLAINTS = [
    "WARNING: possible circular locking dependency detected",
    "WARNING: possible recursive locking detected",
    "INFO: possible circular locking dependency detected",
    "INFO: task bootstorm/1:48 blocked for more than 120 seconds.",
    "BUG: unable to handle page fault for address: ffff888003c00000",
    "BUG: KASAN: use-after-free in __change_page_attr+0x1/0x2",
    "kernel BUG at mm/page_table_check.c:118!",
    "Oops: 0002 [#1] PREEMPT SMP",
    "general protection fault, maybe for address 0x1: 0000 [#1] SMP",
    "watchdog: BUG: soft lockup - CPU#1 stuck for 22s! [bootstorm/1:55]",
    "rcu: INFO: rcu_preempt detected stalls on CPUs/tasks:",
    "sh: page allocation failure: order:9, mode:0xcc0(GFP_KERNEL), nodemask=(null)",
    "Out of memory: Killed process 1 (sh)",
    "x86/mm: Checked W+X mappings: FAILED, 4 W+X pages found.",
  ];

  test.each(COMPLAINTS)("%s", (message) => {
    const found = [message];
    expect(read([], `[    5.123456] ${message}`).complaints).toEqual(found);
    expect(read([], `[    5.123456][   T61] ${message}`).complaints).toEqual(found);
    expect(read([], message).complaints).toEqual(found);
  });

  test("each once, whatever numbers it has", () => {
    const { complaints } = read(
      [],
      "[  122.100000] INFO: task bootstorm/1:48 blocked for more than 120 seconds.",
      "[  243.100000] INFO: task bootstorm/3:50 blocked for more than 241 seconds.",
      "[  243.100000] BUG: scheduling while atomic: bootstorm/3/50/0x00000002",
    );
    expect(complaints).toEqual([
      "INFO: task bootstorm/1:48 blocked for more than 120 seconds.",
      "BUG: scheduling while atomic: bootstorm/3/50/0x00000002",
    ]);
  });

  test("nothing of a boot that goes well", () => {
    const boot = [
      "[    0.000000] Command line: console=ttyS0 panic=-1 no_timer_check bootstorm.load=toggle",
      "[    0.000000] ACPI BIOS Error (bug): A valid RSDP was not found (20240827/tbxfroot-210)",
      "[    0.014570] calibrate_delay_direct() failed to get a good estimate for loops_per_jiffy.",
      "[    0.090422] Lock dependency validator: Copyright (c) 2006 Red Hat, Inc., Ingo Molnar",
      ...ENDS,
    ];
    expect(read([], ...boot).complaints).toEqual([]);
  });

  test("no end of them, and no end of one: printable, few and short", () => {
    const many = Array.from(
      { length: 1000 },
      (_, i) =>
        `BUG: \u001b[31m${String.fromCharCode(97 + (i % 26), 97 + i / 26)}${"x".repeat(9999)}`,
    );
    const { complaints } = read([], ...many);
    expect(complaints).toHaveLength(20);
    for (const complaint of complaints) expect(complaint).toMatch(/^[ -~]{1,300}$/);
  });

  test("why it gave up", () => {
    const { panic, done } = read(
      [toggle],
      "[    0.900000] Kernel panic - not syncing: Attempted to kill init! exitcode=0x00000100",
      "[    0.900001] ---[ end Kernel panic - not syncing: Attempted to kill init! ]---",
    );
    expect(done).toBe(false);
    expect(panic).toBe("Kernel panic - not syncing: Attempted to kill init! exitcode=0x00000100");
  });
});

test("a console that ends anywhere has the measurements up to there, and no other", () => {
  const [noMemory, failed] = NO_MEMORY as [string, string];
  const lines = [STARTS, TOGGLE, ...LOCK_STAT, noMemory, failed, SPLIT, DONE, ...ENDS];
  const orders = [toggle, split, split];
  const text = lines.join("\r\n");
  const whole = readLoadConsole(text, orders);
  expect(whole).toMatchObject({ done: true, measurements: { length: 3 } });
  fc.assert(
    fc.property(fc.nat(text.length), (length) => {
      const cut = readLoadConsole(text.slice(0, length), orders);
      cut.measurements.forEach((measurement, at) => {
        // The lock statistics of the last one are not all there.
        const { locks, ...rest } = { locks: undefined, ...whole.measurements[at]! };
        expect([whole.measurements[at], rest]).toContainEqual(measurement);
        if (at < cut.measurements.length - 1) expect(measurement).toEqual(whole.measurements[at]);
      });
    }),
  );
});

test("whatever a guest says, an order is answered once, and the answer can be written down", () => {
  const number = fc.constantFrom(
    "0",
    "1",
    "99999999999999",
    "9007199254740991",
    "1e300",
    "-1",
    "x",
  );
  const spoilt = fc
    .tuple(fc.constantFrom(TOGGLE, SPLIT, MIXED, LOCK_STAT.at(-1)!), fc.nat(30), number)
    .map(([line, at, other]) => {
      let seen = 0;
      return line.replace(/\d+/g, (digits) => (seen++ === at ? other : digits));
    });
  const some = fc.oneof(
    fc.constantFrom(STARTS, TOGGLE, SPLIT, MIXED, DONE, ...ENDS),
    fc.constantFrom(LOCK_STAT.join("\n"), NO_MEMORY.join("\n")),
    spoilt,
    fc.json().map((json) => `bootstorm-load: ${json}`),
    fc.string({ unit: "binary" }),
  );
  fc.assert(
    fc.property(fc.array(some, { maxLength: 8 }), (lines) => {
      const orders = [toggle, split, mixed];
      const { measurements, complaints } = read(orders, ...lines);
      expect(measurements.map((each) => each.order)).toEqual(orders.slice(0, measurements.length));
      const boot = bootOf({ measurements, complaints });
      const file = new TextEncoder().encode(kernelBootsHeaderLine() + kernelBootLine(boot));
      expect(readKernelBoots(file, 1)).toEqual({ boots: [boot], rejects: [] });
    }),
    { numRuns: 1000 },
  );
});
