// Laws of what is made of real boots, on rounds whose answer is known.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  bootOf,
  roundOf,
  roundOfTimes,
  type SharingOptions,
  sharingRound,
} from "../../../test/fixtures/boot-rounds.ts";
import { traceOf } from "../../../test/fixtures/trace.ts";
import type { BootRecord, BootRound } from "../event/boot.ts";
import { bootsResult } from "./boots-result.ts";

const SEED = 1;
const resultOf = (rounds: readonly BootRound[]) => bootsResult(rounds, [], { seed: SEED });

/** Every number of VMs in every repetition, as a storm runs them. */
function sweep(
  options: SharingOptions,
  { vms = [1, 2, 4, 8, 16], repetitions = 6, more = {} }: Partial<Sweep> = {},
): BootRound[] {
  return Array.from({ length: repetitions }, (_, repetition) =>
    vms.map((count, i) =>
      sharingRound(
        count,
        { ...options, seed: repetition * 100 + i },
        { repetition, ...more, ...(options.limit ? { limit: String(options.limit) } : {}) },
      ),
    ),
  ).flat();
}

interface Sweep {
  readonly vms: readonly number[];
  readonly repetitions: number;
  readonly more: Partial<BootRound>;
}

const dying: BootRecord = bootOf(
  { requested: 0, admitted: 0, spawned: 2 },
  { name: "vm-dead", outcome: "panic", why: "the guest's kernel panicked" },
);

describe("against the closed form of shared CPUs, T(N) = max(1, N/C)·t", () => {
  test.each([1, 2, 4])("%d CPUs", (cpus) => {
    const result = resultOf(sweep({ cpus, workMs: 840 }));
    for (const { vms, readyMs, makespanMs } of result.points) {
      const expected = 30 + 840 * Math.max(1, vms / cpus);
      expect(readyMs!.median).toBeCloseTo(expected, 4);
      expect(readyMs!.high).toBeCloseTo(expected, 4);
      expect(makespanMs).toBeCloseTo(expected, 4);
    }
    const { line, knee, better } = result.curves[0]!;
    expect(better).toBe(cpus === 1 ? "line" : "knee");
    if (cpus > 1) expect(knee!.kneeVms.value).toBeCloseTo(cpus, 4);
    const { slopeMsPerVm } = cpus === 1 ? line : knee!;
    expect(slopeMsPerVm.value).toBeCloseTo(840 / cpus, 4);
  });

  test("all of the slowdown is waiting for a CPU", () => {
    const { blame } = resultOf(sweep({ cpus: 2, workMs: 840 }));
    const last = blame.at(-1)!;
    expect(last).toMatchObject({ vms: 16, againstVms: 1 });
    expect(last.slowdownMs.value).toBeCloseTo(840 * 7, 4);
    expect(last.shares!["cpu-wait"]).toBeCloseTo(1, 6);
    expect(last.shares!["cpu-work"]).toBeCloseTo(0, 6);
    expect(last.partsMs).not.toHaveProperty("locks");
  });

  test("a limit as high as the CPUs keeps the makespan and takes (N−C)/2N of the mean away", () => {
    const cpus = 2;
    const vms = [16];
    const free = sweep({ cpus, workMs: 840 }, { vms });
    const limited = sweep({ cpus, workMs: 840, limit: cpus }, { vms });
    const result = resultOf([...free, ...limited]);
    const change = result.changes[0]!.change;
    // Without the 30 ms that a start takes: batches of C one after the other, on average (N+C)/2N.
    expect(change.mean.value).toBeCloseTo((16 + cpus) / 32 - 1, 1);
    expect(change.mean.verdict).toBe("better");
    expect(change.makespan.value).toBeGreaterThan(0);
    expect(result.bestLimits[0]!.best).toMatchObject({
      mean: { limit: "2" },
      makespan: { limit: "none" },
    });
  });
});

describe("failed boots", () => {
  const rounds = sweep({ cpus: 2, workMs: 840, noiseShare: 0.1 });
  const failing = (count: number) =>
    rounds.map((round) => ({
      ...round,
      boots: [...round.boots, ...Array.from({ length: count }, () => dying)],
    }));

  test("are counted by outcome, and never enter a time", () => {
    const clean = resultOf(rounds);
    const dirty = resultOf(failing(2));
    dirty.points.forEach((point, i) => {
      const { readyMs, sinceRequestMs, cpuMs, memoryBytes, phasesMs } = clean.points[i]!;
      expect(point).toMatchObject({ readyMs, sinceRequestMs, cpuMs, memoryBytes, phasesMs });
      expect(point).toMatchObject({ failed: 12, failures: { panic: 12 } });
    });
    expect(dirty.curves).toEqual(clean.curves);
    expect(dirty.blame).toEqual(clean.blame);
  });

  test("leave their round without a makespan, and their pair uncompared", () => {
    const dirty = failing(1);
    expect(resultOf(dirty).points[0]).not.toHaveProperty("makespanMs");
    const limited = dirty.map((round) => ({ ...round, limit: "2" }));
    const half = [
      ...rounds,
      ...limited.slice(5),
      ...sweep({ cpus: 2, workMs: 840, limit: 2 }, { repetitions: 1 }),
    ];
    const { changes, caveats } = resultOf(half);
    expect(changes.every(({ pairs, pairsLeftOut }) => pairs === 1 && pairsLeftOut === 5)).toBe(
      true,
    );
    expect(caveats).toContainEqual({ kind: "pairs-left-out", pairs: 25 });
  });

  test("of one kind are told once, with the first console", () => {
    const { failures } = resultOf(failing(1));
    expect(failures).toEqual([
      {
        outcome: "panic",
        why: "the guest's kernel panicked",
        count: 30,
        round: 0,
        name: "vm-dead",
        consoleTail: [],
      },
    ]);
  });

  test("only: no time at all, and no answer made up", () => {
    const result = resultOf([roundOf([dying, dying])]);
    expect(result.points[0]).toMatchObject({ boots: 2, failed: 2, phasesMs: {} });
    expect(result.points[0]).not.toHaveProperty("readyMs");
    expect(result.caveats.map(({ kind }) => kind)).toContain("none-ready");
    expect(result.curves).toEqual([]);
  });
});

describe("rounds", () => {
  test("the order of rounds and of VMs within them changes no number", () => {
    const rounds = [
      ...sweep({ cpus: 2, workMs: 840, noiseShare: 0.1 }),
      ...sweep({ cpus: 2, workMs: 840, noiseShare: 0.1, limit: 2 }),
    ];
    const turned = rounds
      .toReversed()
      .map((round) => ({ ...round, boots: round.boots.toReversed() }));
    const [a, b] = [resultOf(rounds), resultOf(turned)];
    expect(b.points).toEqual(closeTo(a.points));
    expect(b.curves).toEqual(closeTo(a.curves));
    expect(b.changes).toEqual(closeTo(a.changes));
    expect(b.bestLimits).toEqual(a.bestLimits);
    expect(b.makeups).toEqual(closeTo(a.makeups));
  });

  test("for warming up and for recording do not count", () => {
    const rounds = sweep({ cpus: 2, workMs: 840 });
    const other = sweep({ cpus: 2, workMs: 4000 });
    const roles = ["warm-up", "recorded"] as const;
    const more = roles.flatMap((role) => other.map((round) => ({ ...round, role })));
    expect(resultOf([...rounds, ...more]).points).toEqual(resultOf(rounds).points);
  });

  test("that share their luck make the interval wider than as many VMs by themselves", () => {
    const luck = [700, 800, 900, 950, 1000, 1050, 1100, 1300];
    const shared = luck.map((ms, repetition) => roundOfTimes(Array(16).fill(ms), { repetition }));
    const spread = luck.map((_, repetition) => roundOfTimes([...luck, ...luck], { repetition }));
    const width = (rounds: readonly BootRound[]) => {
      const { low, high } = resultOf(rounds).points[0]!.readyMs!;
      return high - low;
    };
    expect(width(shared)).toBeGreaterThan(2 * width(spread));
  });

  test("a difference smaller than the noise is none, whatever its sign", () => {
    const times = [900, 1100, 950, 1050, 1000, 1010, 980, 1020];
    const free = times.map((ms, repetition) => roundOfTimes([ms, ms], { repetition }));
    const limited = times
      .toReversed()
      .map((ms, repetition) => roundOfTimes([ms, ms], { repetition, limit: "2" }));
    const [change] = resultOf([...free, ...limited]).changes;
    expect(change!.change.mean.verdict).toBe("no-difference");
    const best = resultOf([...free, ...limited]).bestLimits[0]!.best;
    expect(best.mean).toEqual({ limit: "none", alike: ["2"] });
  });

  test("of one repetition are compared with each other, so that luck they share does not count", () => {
    const luck = [700, 2000, 900, 1500, 1000, 1300, 800];
    const free = luck.map((ms, repetition) => roundOfTimes([ms, ms], { repetition }));
    const limited = luck.map((ms, repetition) =>
      roundOfTimes([0.8 * ms, 0.8 * ms], { repetition, limit: "2" }),
    );
    const [first] = resultOf([...free, ...limited.slice(3), ...limited.slice(0, 3)]).changes;
    const { value, low, high, verdict } = first!.change.mean;
    for (const each of [value, low, high]) expect(each).toBeCloseTo(-0.2, 9);
    expect(verdict).toBe("better");
  });

  test("one pair of rounds decides nothing", () => {
    const rounds = [roundOfTimes([900]), roundOfTimes([90], { limit: "2" })];
    expect(resultOf(rounds).changes[0]!.change.mean.verdict).toBe("undecided");
  });
});

describe("phases", () => {
  test("between milestones that follow each other; those unseen join their neighbours", () => {
    const boots = [
      bootOf({
        requested: 0,
        admitted: 5,
        spawned: 7,
        vmmReady: 30,
        resumed: 31,
        kernel: 131,
        init: 800,
        ready: 810,
      }),
    ];
    const { points, vms } = resultOf([roundOf(boots)]);
    const phasesMs = {
      queue: 5,
      spawn: 2,
      vmm: 23,
      resume: 1,
      "entry+firmware": 100,
      kernel: 669,
      userspace: 10,
    };
    expect(points[0]!.phasesMs).toEqual(phasesMs);
    expect(vms[0]!.phasesMs).toEqual(phasesMs);
  });

  test("are medians of boots that are known alike; a boot that lost a marker is left out", () => {
    const whole = { requested: 0, admitted: 0, kernel: 100, init: 800, ready: 810 };
    const { init: _, ...lost } = whole;
    const { points } = resultOf([roundOf([bootOf(whole), bootOf(whole), bootOf(lost)])]);
    expect(points[0]).toMatchObject({ phasesOfBoots: 2, readyMs: { n: 3 } });
    expect(points[0]!.phasesMs).toHaveProperty("userspace");
  });

  test("a milestone told late is not used, and said", () => {
    const boot = bootOf({ requested: 0, admitted: 0, kernel: 805, init: 800, ready: 810 });
    const { points, caveats } = resultOf([roundOf([boot])]);
    expect(Object.values(points[0]!.phasesMs).every((ms) => ms >= 0)).toBe(true);
    expect(caveats).toContainEqual({ kind: "out-of-order", boots: 1 });
  });
});

describe("blame", () => {
  const anyBoot = fc.record({
    service: fc.integer({ min: 1, max: 10_000 }),
    setup: fc.option(fc.integer({ min: 0, max: 2_000 }), { nil: undefined }),
    work: fc.option(fc.integer({ min: 0, max: 10_000 }), { nil: undefined }),
    wait: fc.option(fc.integer({ min: 0, max: 10_000 }), { nil: undefined }),
    vcpus: fc.integer({ min: 0, max: 3 }),
  });
  const anyRound = (vms: number) =>
    fc.array(anyBoot, { minLength: vms, maxLength: vms }).map((boots) =>
      roundOf(
        boots.map(({ service, setup, work, wait, vcpus }, i) =>
          bootOf(
            {
              requested: 0,
              admitted: 0,
              ...(setup === undefined ? {} : { resumed: Math.min(setup, service) }),
              ready: service,
            },
            {
              name: `vm-${i}`,
              threads: Object.fromEntries(
                Array.from({ length: vcpus }, (_, cpu) => [cpu + 10, `CPU ${cpu}/KVM`]),
              ),
              ...(work === undefined ? {} : { vcpuCpuNs: work * 1e6 }),
              ...(wait === undefined ? {} : { vcpuRunDelayNs: wait * 1e6 }),
            },
          ),
        ),
      ),
    );

  test("the parts of a boot add up to it, and the parts of a slowdown to that, for any boots", () => {
    fc.assert(
      fc.property(
        fc.array(anyRound(1), { minLength: 1, maxLength: 3 }),
        fc.array(anyRound(4), { minLength: 1, maxLength: 3 }),
        (few, many) => {
          const { makeups, blame } = resultOf([...few, ...many]);
          for (const { meanMs, partsMs } of makeups) {
            expect(sum(Object.values(partsMs))).toBeCloseTo(meanMs, 6);
          }
          for (const { slowdownMs, partsMs } of blame) {
            const parts = Object.values(partsMs).map(({ value }) => value);
            expect(sum(parts)).toBeCloseTo(slowdownMs.value, 6);
          }
        },
      ),
      { numRuns: 25 },
    );
  });

  test("a boot that works more when others boot is told from one that waits", () => {
    const boot = (service: number, work: number, wait: number) =>
      bootOf(
        { requested: 0, admitted: 0, ready: service },
        {
          threads: { 9: "CPU 0/KVM" },
          vcpuCpuNs: work * 1e6,
          vcpuRunDelayNs: wait * 1e6,
        },
      );
    const { blame } = resultOf([
      roundOf([boot(1000, 900, 0)]),
      roundOf([boot(2000, 1400, 400), boot(2000, 1400, 400)]),
    ]);
    expect(blame[0]!.shares).toEqual({
      "cpu-work": 0.5,
      "cpu-wait": 0.4,
      rest: expect.closeTo(0.1),
    });
  });

  test("of several vCPUs it is their mean, which has the wall time of the boot", () => {
    const boot = bootOf(
      { requested: 0, admitted: 0, ready: 1000 },
      {
        threads: { 9: "CPU 0/KVM", 10: "CPU 1/KVM", 11: "worker" },
        vcpuCpuNs: 1200e6,
        vcpuRunDelayNs: 400e6,
      },
    );
    const trace = traceOf([{ t: 0, tid: 9, waitNs: 100e6 }]);
    const origin = { clock: "mono", ns: BigInt(roundOf([]).originNs) };
    const { makeups } = bootsResult(
      [roundOf([boot])],
      [{ round: 0, trace: { ...trace, meta: { ...trace.meta, origin } } }],
      { seed: SEED },
    );
    expect(makeups[0]!.partsMs).toEqual({ locks: 50, "cpu-wait": 200, "cpu-work": 550, rest: 200 });
  });

  test("what was not read is absent, and its time is in the rest", () => {
    const boots = (n: number) =>
      Array.from({ length: n }, () =>
        bootOf(
          { requested: 0, admitted: 0, ready: 1000 * n },
          { threads: { 9: "CPU 0/KVM" }, vcpuCpuNs: 900e6 },
        ),
      );
    const { blame, caveats } = resultOf([roundOf(boots(1)), roundOf(boots(2))]);
    expect(Object.keys(blame[0]!.partsMs)).toEqual(["cpu-work", "rest"]);
    expect(caveats.map(({ kind }) => kind)).toContain("no-run-delay");
    const nameless = [1, 2].map((n) => roundOf(boots(n).map(({ threads: _, ...rest }) => rest)));
    expect(resultOf(nameless).blame).toEqual([]);
  });
});

describe("lock waits", () => {
  const CPA = 0xffffffff83c5d1a0n;
  const HEAP = 0xffff888100fc3a10n;
  const SLEEP = 2;
  const MS = 1e6;
  /** One VM, 100 ms until its vCPU runs, ready after 1000 ms; the trace began 50 ms before it. */
  const round = roundOf([
    bootOf(
      {
        requested: 0,
        admitted: 0,
        spawned: 1,
        resumed: 100,
        kernel: 200,
        ready: 1000,
        exited: 1100,
      },
      {
        pid: 77,
        threads: { 77: "qemu-system-x86", 78: "CPU 0/KVM", 79: "worker" },
        vcpuCpuNs: 700 * MS,
        vcpuRunDelayNs: 50 * MS,
      },
    ),
  ]);
  const at = (ms: number) => (ms + 50) * MS;
  const wait = (tid: number, atMs: number, waitMs: number, lock: number, flags = 1) => ({
    tid,
    t: at(atMs),
    waitNs: waitMs * MS,
    lock,
    flags,
    process: 0,
    stack: ["__change_page_attr_set_clr", "set_direct_map_invalid_noflush"],
  });
  const recorded = (waits: readonly ReturnType<typeof wait>[], stacks = true) => {
    const trace = traceOf(
      waits.map(({ stack, ...rest }) => ({ ...rest, ...(stacks ? { stack } : {}) })),
      { locks: [CPA, HEAP], spanNs: 2e9 },
    );
    const origin = { clock: "mono", ns: BigInt(round.originNs) - 50_000_000n };
    return { ...trace, meta: { ...trace.meta, origin, stacks } };
  };
  const locksOf = (waits: readonly ReturnType<typeof wait>[]) =>
    bootsResult([round], [{ round: 0, trace: recorded(waits) }], { seed: SEED });

  test("spinning comes out of the CPU time, sleeping out of the rest, nothing twice", () => {
    const { makeups } = locksOf([wait(78, 300, 40, 0), wait(78, 400, 20, 1, SLEEP)]);
    expect(makeups[0]!.partsMs).toEqual({
      locks: 60,
      "cpu-wait": 50,
      "cpu-work": 660,
      "vmm-setup": 100,
      rest: 130,
    });
  });

  test("the first thread counts until the vCPUs run, and others never", () => {
    const { makeups, locks } = locksOf([
      wait(77, 90, 30, 0),
      wait(77, 500, 30, 0),
      wait(79, 95, 30, 0),
    ]);
    expect(makeups[0]!.partsMs).toMatchObject({ locks: 10, "vmm-setup": 90 });
    expect(locks[0]!.locks[0]).toMatchObject({ waits: 3, waitMs: 90, bootMs: 10 });
  });

  test("a wait is cut at the phases it lies in, and ends with the boot", () => {
    const { locks } = locksOf([wait(78, 190, 30, 0), wait(78, 990, 50, 0)]);
    expect(locks[0]!.locks[0]).toMatchObject({
      lock: { name: "cpa_lock", evidence: "caller" },
      waits: 2,
      waitMs: 40,
      shareOfBoot: 0.04,
      phasesMs: { "entry+firmware": 10, "kernel+userspace": 30 },
    });
  });

  test("waits of strangers, and of the same ids before and after, are not the VM's", () => {
    const strangers = [
      { ...wait(500, 300, 40, 0), process: -1 },
      wait(78, -20, 10, 0),
      wait(78, 1150, 10, 0),
    ];
    expect(locksOf(strangers).locks[0]!.locks).toEqual([]);
  });

  test("times come from the trace without stacks, names from the one with", () => {
    const { locks, contention } = bootsResult(
      [round, { ...round, role: "recorded" }],
      [
        { round: 0, trace: recorded([wait(78, 300, 40, 0)], false) },
        { round: 1, trace: recorded([wait(78, 300, 90, 0)]) },
      ],
      { seed: SEED },
    );
    expect(locks[0]!.locks).toHaveLength(1);
    expect(locks[0]!.locks[0]).toMatchObject({ lock: { name: "cpa_lock" }, waitMs: 40 });
    expect(contention).toMatchObject({ round: 0, totals: { waitNsTotal: 40 * MS } });
  });

  test("a lock of the heap that nothing names shares its row with its like", () => {
    const nameless = { ...wait(78, 300, 40, 1), stack: ["some_driver"] };
    const [row] = locksOf([nameless]).locks[0]!.locks;
    expect(row!.lock).toEqual({
      name: "unnamed",
      address: "0xffff888100fc3a10",
      evidence: "none",
    });
  });

  test("without those of the fewest VMs, locks are no part of the blame", () => {
    const more = roundOf([...round.boots, ...round.boots]);
    const { blame, caveats } = bootsResult(
      [round, more],
      [{ round: 1, trace: recorded([wait(78, 300, 40, 0)]) }],
      { seed: SEED },
    );
    expect(blame[0]!.partsMs).not.toHaveProperty("locks");
    expect(caveats.map(({ kind }) => kind)).toContain("locks-not-compared");
  });

  test("parts with locks add up too, for any waits", () => {
    const anyWaits = fc.array(
      fc
        .tuple(
          fc.constantFrom(77, 78, 79),
          fc.integer({ min: -40, max: 1200 }),
          fc.integer({ min: 0, max: 500 }),
          fc.constantFrom(1, SLEEP),
        )
        .map(([tid, t, ms, flags]) => wait(tid, t, ms, 0, flags)),
      { maxLength: 8 },
    );
    const more = { ...roundOf([...round.boots, ...round.boots]), originNs: round.originNs };
    fc.assert(
      fc.property(anyWaits, anyWaits, (few, many) => {
        const { blame, makeups, locks } = bootsResult(
          [round, more],
          [
            { round: 0, trace: recorded(few) },
            { round: 1, trace: recorded(many) },
          ],
          { seed: SEED },
        );
        const parts = Object.values(blame[0]!.partsMs).map(({ value }) => value);
        expect(sum(parts)).toBeCloseTo(blame[0]!.slowdownMs.value, 6);
        makeups.forEach(({ partsMs, meanMs }, i) => {
          expect(sum(Object.values(partsMs))).toBeCloseTo(meanMs, 6);
          const sat = sum(locks[i]!.locks.map(({ bootMs }) => bootMs));
          expect(partsMs.locks).toBeCloseTo(sat, 6);
        });
        const how = blame[0]!.locks!;
        expect(how.spinMs + how.sleepMs + how.setupMs).toBeCloseTo(
          blame[0]!.partsMs.locks!.value,
          6,
        );
      }),
      { numRuns: 25 },
    );
  });
});

test("the result is plain JSON", () => {
  const rounds = sweep({ cpus: 2, workMs: 840, noiseShare: 0.1 });
  const result = resultOf([...rounds, roundOf([dying])]);
  expect(JSON.parse(JSON.stringify(result))).toEqual(result);
});

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

/** Sums in another order differ in their last bits. */
function closeTo(value: unknown): unknown {
  if (typeof value === "number") return expect.closeTo(value, 6);
  if (Array.isArray(value)) return value.map(closeTo);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, closeTo(each)]));
}
