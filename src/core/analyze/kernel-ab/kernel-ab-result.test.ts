import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  armOf,
  bootOf,
  measuredAt,
  noisyBoots,
  orderOf,
  runOf,
} from "../../../../test/fixtures/kernel-boots.ts";
import type { KernelBoot, LoadOrder, LockCount } from "../../event/kernel-run.ts";
import { KERNEL_BOOT_OUTCOMES } from "../../event/kernel-run.ts";
import { kernelAbResult } from "./kernel-ab-result.ts";

const AB = runOf([armOf("a"), armOf("b")]);
const ABC = runOf([armOf("a"), armOf("b"), armOf("c")]);
const toggle2 = orderOf("toggle", 2);
const ORDERS = [orderOf("toggle", 1), toggle2, orderOf("split", 2)];
const million = () => 1e6;

describe("differences", () => {
  test("of one kernel with itself at most 5 % of whole results call any, on a host that drifts", () => {
    const results = 400;
    let wrong = 0;
    for (let seed = 1; seed <= results; seed += 1) {
      const host = { seed, repetitions: 10, drift: 0.2, noise: 0.3 };
      const { comparisons } = kernelAbResult(
        ABC,
        noisyBoots(ORDERS, [million, million, million], host),
      );
      expect(comparisons).toHaveLength(6);
      if (comparisons.some(({ verdict }) => verdict !== "no-difference")) wrong += 1;
    }
    expect(wrong / results).toBeLessThanOrEqual(0.05);
    // A test that never fails would be one that never finds anything.
    expect(wrong).toBeGreaterThan(0);
  });

  test("a true factor of 2 is found, where it is and nowhere else, and its interval has it", () => {
    const twice = ({ load }: LoadOrder) => (load === "toggle" ? 2e6 : 1e6);
    const results = 100;
    let found = 0;
    let covered = 0;
    for (let seed = 1; seed <= results; seed += 1) {
      const host = { seed, repetitions: 10, drift: 0.2, noise: 0.3 };
      const { comparisons } = kernelAbResult(AB, noisyBoots(ORDERS, [million, twice], host));
      const verdicts = comparisons.map(({ verdict }) => verdict).join(" ");
      if (verdicts === "faster faster no-difference") found += 1;
      const { low, high } = comparisons[0]!.speedUp;
      if (low! <= 2 && high! >= 2) covered += 1;
    }
    expect(found).toBeGreaterThanOrEqual(90);
    expect(covered).toBeGreaterThanOrEqual(90);
  });

  test("arms that are swapped: speed-ups inverted, faster is slower, chances the same", () => {
    const speeds = [million, ({ threads }: LoadOrder) => threads * 7e5];
    const host = { seed: 3, repetitions: 9, drift: 0.2, noise: 0.2 };
    const boots = noisyBoots(ORDERS, speeds, host);
    const swapped = boots.map((boot) => ({ ...boot, arm: 1 - boot.arm }));
    const there = kernelAbResult(AB, boots).comparisons;
    const back = kernelAbResult(AB, swapped).comparisons;
    expect(there.map(({ verdict }) => verdict)).toContain("faster");
    there.forEach((comparison, i) => {
      const { speedUp, verdict, pAdjusted } = back[i]!;
      expect(speedUp.value * comparison.speedUp.value).toBeCloseTo(1, 10);
      expect(speedUp.low! * comparison.speedUp.high!).toBeCloseTo(1, 10);
      expect(pAdjusted).toBe(comparison.pAdjusted);
      const opposite = { faster: "slower", slower: "faster" } as Record<string, string>;
      expect(verdict).toBe(opposite[comparison.verdict] ?? comparison.verdict);
    });
  });

  test("pairs are of one repetition: what the host does to both is no difference", () => {
    // Each pair 10 % apart, and the host a thousand times slower in the end.
    const boots = Array.from({ length: 8 }, (_, repetition) =>
      [1, 1.1].map((faster, arm) => {
        const measurements = [measuredAt(toggle2, (1e6 * faster) / 10 ** (repetition / 2))];
        return bootOf({ arm, repetition, measurements });
      }),
    ).flat();
    const { speedUp, verdict, pairs } = kernelAbResult(AB, boots).comparisons[0]!;
    expect({ verdict, pairs }).toEqual({ verdict: "faster", pairs: 8 });
    for (const value of Object.values(speedUp)) expect(value).toBeCloseTo(1.1, 3);
  });

  test("so few pairs that nothing could be found are too few, and others stay what they are", () => {
    const host = { seed: 1, repetitions: 5, drift: 0, noise: 0.01 };
    const twice = () => 2e6;
    const few = kernelAbResult(AB, noisyBoots([toggle2], [million, twice], host)).comparisons;
    expect(few).toMatchObject([{ pairs: 5, p: 1 / 16, verdict: "too-few" }]);
    expect(few[0]!.speedUp).not.toHaveProperty("low");
    const more = noisyBoots([toggle2], [million, twice, million], { ...host, repetitions: 12 });
    const someLost = more.filter(({ arm, repetition }) => arm < 2 || repetition < 5);
    expect(kernelAbResult(ABC, someLost).comparisons).toMatchObject([
      { arm: 1, pairs: 12, verdict: "faster" },
      { arm: 2, pairs: 5, verdict: "too-few" },
    ]);
  });
});

describe("points", () => {
  test("one for each load, guest and number of threads, in that order; each boot is a value", () => {
    const boots = [
      bootOf({ vcpus: 4, measurements: [measuredAt(orderOf("split", 1), 500)] }),
      bootOf({
        vcpus: 4,
        measurements: [
          measuredAt(orderOf("toggle", 4), 4e6),
          measuredAt(toggle2, 3e6),
          measuredAt(toggle2, 9e6),
        ],
      }),
      bootOf({ vcpus: 2, measurements: [measuredAt(toggle2, 2e6)] }),
      bootOf({ vcpus: 4, repetition: 1, measurements: [measuredAt(toggle2, 1e6)] }),
    ];
    const { points } = kernelAbResult(AB, boots);
    expect(
      points.map(({ load, vcpus, threads, arms }) => [
        `${load} ${vcpus} ${threads}`,
        arms[0]!.opsPerSecond.n,
        Math.round(arms[0]!.opsPerSecond.median),
      ]),
    ).toEqual([
      ["toggle 2 2", 1, 2e6],
      ["toggle 4 2", 2, 2e6],
      ["toggle 4 4", 1, 4e6],
      ["split 4 1", 1, 500],
    ]);
    expect(points[1]!.arms[0]).toMatchObject({
      // 2 threads at 3 and at 1 million a second.
      meanNs: { median: (667 + 2000) / 2, n: 2 },
      latencyNs: { p50: (667 + 2000) / 2, p99: 3 * ((667 + 2000) / 2) },
      limited: 0,
    });
  });

  test("a boot that a limit ended counts, and is counted", () => {
    const boots = [
      bootOf({ measurements: [measuredAt(toggle2, 1e6)] }),
      bootOf({ measurements: [measuredAt(toggle2, 1e6, { ops: 100, elapsedNs: 1e9 })] }),
    ];
    const [point] = kernelAbResult(AB, boots).points[0]!.arms;
    expect(point).toMatchObject({ limited: 1, opsPerSecond: { n: 2, max: 1e6 } });
    expect(point!.opsPerSecond.median).toBeCloseTo((1e6 + 100) / 2, 6);
  });

  test("warm-ups and boots for other purposes are no part of it", () => {
    const measurements = [measuredAt(toggle2, 5)];
    const boots = [
      bootOf({ role: "warm-up", measurements }),
      bootOf({ purpose: "count", measurements }),
      bootOf({ purpose: "debug", measurements }),
    ];
    const { points, arms } = kernelAbResult(AB, boots);
    expect(points).toEqual([]);
    expect(arms[0]).toMatchObject({ boots: 0, bootsDone: 0 });
  });

  test("an arm that never boots leaves the others' points as they are", () => {
    const host = { seed: 1, repetitions: 8, drift: 0, noise: 0.1 };
    const all = noisyBoots(ORDERS, [million, million, million], host);
    const dead = all.map(
      (boot): KernelBoot =>
        boot.arm === 2 ? { ...boot, outcome: "hung", why: "nothing", measurements: [] } : boot,
    );
    const alive = all.filter(({ arm }) => arm !== 2);
    const result = kernelAbResult(ABC, dead);
    expect(result.points.map(({ arms }) => arms[2])).toEqual([undefined, undefined, undefined]);
    expect(result.comparisons).toEqual(kernelAbResult(AB, alive).comparisons);
    expect(result.points.map(({ arms }) => arms.slice(0, 2))).toEqual(
      kernelAbResult(AB, alive).points.map(({ arms }) => arms),
    );
    expect(result.arms[2]).toEqual({ name: "c", boots: 8, bootsDone: 0 });
  });

  test("a base that never boots leaves points, and nothing to compare with", () => {
    const boots = [bootOf({ arm: 1, measurements: [measuredAt(toggle2, 1e6)] })];
    const { points, comparisons } = kernelAbResult(AB, boots);
    expect(points[0]!.arms[0]).toBeUndefined();
    expect(points[0]!.arms[1]).toBeDefined();
    expect(comparisons).toEqual([]);
  });
});

describe("arms", () => {
  test("one that is the same kernel as another one before it says so", () => {
    const a = armOf("a");
    const arms = [a, { ...a, name: "again" }, { ...a, name: "on", words: ["x=1"] }, armOf("b")];
    const same = kernelAbResult(runOf(arms), []).arms.map(({ sameAs }) => sameAs);
    expect(same).toEqual([undefined, 0, undefined, undefined]);
  });

  test("the release is that of boots that are timed, and complaints are those of all boots", () => {
    const boots = [
      bootOf({
        purpose: "count",
        release: "6.12.117-a+lock-stat",
        complaints: ["BUG: x on CPU 1"],
      }),
      bootOf({ release: "6.12.117-a", measurements: [measuredAt(toggle2, 1)] }),
      bootOf({ complaints: ["BUG: x on CPU 3", "WARNING: y"], role: "warm-up" }),
    ];
    expect(kernelAbResult(AB, boots).arms).toEqual([
      {
        name: "a",
        release: "6.12.117-a",
        spinlock: "test-and-set",
        boots: 1,
        bootsDone: 1,
        complaints: ["BUG: x on CPU 1", "WARNING: y"],
      },
      { name: "b", boots: 0, bootsDone: 0 },
    ]);
  });

  test("a kernel that counts locks while it is timed says so; one that only counts them does not", () => {
    const lock = {
      ...{ name: "cpa_lock", acquired: 1, contended: 0 },
      ...{ waitNsTotal: 0, waitNsMax: 0, holdNsTotal: 1, waiters: [] },
    };
    const counted = { measurements: [measuredAt(toggle2, 1, { locks: [lock] })] };
    const boots = [bootOf(counted), bootOf({ ...counted, arm: 1, purpose: "count" })];
    const says = kernelAbResult(AB, boots).arms.map((arm) => "timesCountLocks" in arm);
    expect(says).toEqual([true, false]);
  });

  test("a boot of no arm is a bug of who calls", () => {
    expect(() => kernelAbResult(AB, [bootOf({ arm: 2 })])).toThrow(/^bug: /);
  });
});

describe("locks", () => {
  const lock = (name: string, contended: number, more: Partial<LockCount> = {}): LockCount => ({
    name,
    acquired: 100,
    contended,
    waitNsTotal: contended * 10,
    waitNsMax: 10,
    holdNsTotal: 50,
    waiters: contended === 0 ? [] : [{ fn: "cpa", contended }],
    ...more,
  });
  const counting = (locks: readonly LockCount[], more: Partial<KernelBoot> = {}) =>
    bootOf({ purpose: "count", measurements: [measuredAt(toggle2, 1e5, { locks })], ...more });

  test("all boots of an arm together, most waited for first", () => {
    const boots = [
      counting([lock("&rq->__lock", 1), lock("cpa_lock", 3)]),
      counting([lock("cpa_lock", 4, { waitNsMax: 40, waiters: [{ fn: "other", contended: 4 }] })]),
      counting([lock("pgd_lock", 2)], { arm: 1 }),
      counting([lock("cpa_lock", 50)], { role: "warm-up" }),
      counting([lock("cpa_lock", 50)], { purpose: "time" }),
    ];
    const place = { load: "toggle", vcpus: 4, threads: 2 };
    expect(kernelAbResult(AB, boots).locks).toEqual([
      {
        ...place,
        arm: 0,
        boots: 2,
        opsDone: 400_000,
        locks: [
          {
            name: "cpa_lock",
            acquired: 200,
            contended: 7,
            waitNsTotal: 70,
            waitNsMax: 40,
            holdNsTotal: 100,
            waiters: [
              { fn: "other", contended: 4 },
              { fn: "cpa", contended: 3 },
            ],
          },
          lock("&rq->__lock", 1),
        ],
      },
      { ...place, arm: 1, boots: 1, opsDone: 200_000, locks: [lock("pgd_lock", 2)] },
    ]);
  });

  test("that nobody waited is told of locks that changes of the direct map take, and of no other", () => {
    const names = [
      "cpa_lock",
      "cpa_pmd_lock",
      "pgd_lock",
      "&rq->__lock",
      "init_mm.page_table_lock",
    ];
    const { locks } = kernelAbResult(AB, [counting(names.map((name) => lock(name, 0)))]);
    expect(locks[0]!.locks.map(({ name }) => name)).toEqual([
      "cpa_lock",
      "cpa_pmd_lock",
      "pgd_lock",
    ]);
  });

  test("of the largest guest only", () => {
    const { locks } = kernelAbResult(AB, [counting([], { vcpus: 2 }), counting([], { vcpus: 4 })]);
    expect(locks.map(({ vcpus }) => vcpus)).toEqual([4]);
  });

  test("a measurement without its statistics is a failure, and not one in which nobody waited", () => {
    const boots = [
      bootOf({ purpose: "count", measurements: [measuredAt(toggle2, 1e5)] }),
      counting([lock("cpa_lock", 1)]),
    ];
    const { locks, failures } = kernelAbResult(AB, boots);
    expect(locks).toMatchObject([{ boots: 1, opsDone: 200_000 }]);
    expect(failures).toMatchObject([{ purpose: "count", outcome: "order-failed" }]);
  });
});

describe("mixed", () => {
  const mixed = orderOf("mixed", 4);
  const seen = { ops: 1000, attributeChanges: 100, wrongEntries: 1, wrongAccesses: 2 };
  const debugging = (more: Partial<KernelBoot>) =>
    bootOf({ purpose: "debug", measurements: [measuredAt(mixed, 1e5, seen)], ...more });

  test("what was seen, all boots of an arm together", () => {
    const boots = [
      debugging({ complaints: ["BUG: 1"] }),
      debugging({ complaints: ["BUG: 2", "WARNING: x"] }),
      debugging({ arm: 1 }),
    ];
    const place = { vcpus: 4, threads: 4 };
    expect(kernelAbResult(AB, boots).mixed).toEqual([
      {
        ...place,
        arm: 0,
        attributeChanges: 200,
        toggles: 1800,
        wrongEntries: 2,
        wrongAccesses: 4,
        complaints: ["BUG: 1", "WARNING: x"],
      },
      {
        ...place,
        arm: 1,
        attributeChanges: 100,
        toggles: 900,
        wrongEntries: 1,
        wrongAccesses: 2,
        complaints: [],
      },
    ]);
  });

  test("a kernel that did not get through says nothing, and is a failure", () => {
    const boots = [debugging({ outcome: "panic", measurements: [], complaints: ["BUG: x"] })];
    const { mixed: none, failures, arms } = kernelAbResult(AB, boots);
    expect(none).toEqual([]);
    expect(failures).toMatchObject([{ purpose: "debug", outcome: "panic" }]);
    expect(arms[0]!.complaints).toEqual(["BUG: x"]);
  });
});

test("every boot that was not done is a failure, every order that failed another, and nothing else", () => {
  const boot = fc.record({
    arm: fc.nat(1),
    purpose: fc.constantFrom("time" as const, "debug" as const),
    role: fc.constantFrom("warm-up" as const, "measured" as const),
    repetition: fc.nat(3),
    outcome: fc.constantFrom(...KERNEL_BOOT_OUTCOMES),
    why: fc.string(),
    consoleTail: fc.array(fc.string(), { maxLength: 2 }),
    measurements: fc.array(
      fc.constantFrom(measuredAt(toggle2, 1e6), { order: toggle2, failed: "no memory" }),
      { maxLength: 3 },
    ),
  });
  fc.assert(
    fc.property(fc.array(boot, { maxLength: 6 }), (some) => {
      const { failures } = kernelAbResult(AB, some.map(bootOf));
      const expected = some.flatMap((each) => [
        ...(each.outcome === "done" ? [] : [`${each.arm} ${each.outcome} ${each.why}`]),
        ...each.measurements
          .filter((measurement) => "failed" in measurement)
          .map(() => `${each.arm} order-failed toggle, threads 2: no memory`),
      ]);
      expect(failures.map(({ arm, outcome, why }) => `${arm} ${outcome} ${why}`)).toEqual(expected);
    }),
  );
});

test("other work is that of the boots which are timed and counted, of all CPUs of the host", () => {
  const busy = (otherCpuNs: number, more: Partial<KernelBoot> = {}) =>
    bootOf({ load: { cpuBusyShare: 1, otherCpuNs, memAvailableBytesLow: 1e9 }, ...more });
  // Two boots of 2 s on two CPUs: 8 s, of which others had 1.
  const boots = [busy(4e8), busy(6e8, { arm: 1 })];
  const left = [busy(3e9, { role: "warm-up" }), busy(3e9, { purpose: "count" })];
  expect(kernelAbResult(AB, [...boots, ...left]).otherCpuShare).toBe(0.125);
  expect(kernelAbResult(AB, left)).not.toHaveProperty("otherCpuShare");
});
