import fc from "fast-check";
import { expect, it } from "vitest";
import { type CostsNs, costsNs, EPYC_MILAN } from "../../kernel/cost/cost-table.ts";
import { DESIGN_BY_NAME } from "../../kernel/design/index.ts";
import { plainStorm } from "../plain-storm.ts";
import { runStorm } from "../storm.ts";
import { operationsAtOnce } from "./at-once.ts";
import { type GuestHook, GuestStorm, type GuestStormSetup } from "./guest-storm.ts";

const DESIGNS = ["linux-4.20", "no-cpa-lock", "skip-for-present", "per-pmd-lock", "split-mark"];
const HOLD_NS = 1300;
const OUTSIDE_NS = 700;
const LINE_NS = 40;
const ANSWER_NS = 30_000;
const COSTS = costsNs(EPYC_MILAN, {
  readPmd: 100,
  readPte: 800,
  writePte: 400,
  lineL3: LINE_NS,
  ipiHandler: ANSWER_NS,
  contextSwitch: 0,
  timeSlice: 4_000_000,
});

type Options = Partial<Omit<GuestStormSetup, "design">> & { readonly design?: string };

function setup({ design = "linux-4.20", ...options }: Options = {}): GuestStormSetup {
  const threads = options.threads ?? 1;
  return {
    costs: COSTS,
    entry: "table",
    outsideNs: OUTSIDE_NS,
    threads,
    vcpus: threads,
    hostCpus: threads,
    wakeUpNs: 0,
    spinNs: Number.POSITIVE_INFINITY,
    spinlock: "test-and-set",
    atOnce: 1,
    seed: 1,
    ...options,
    design: DESIGN_BY_NAME.get(design)!,
  };
}

/** Operations per µs. */
function rate(options: Options, untilNs = 0, operations = 4000): number {
  const result = new GuestStorm(setup(options)).run(untilNs, operations);
  return (1000 * result.operations) / result.elapsedNs;
}

const OVERCOMMIT = { threads: 4, vcpus: 4, hostCpus: 2 };
const LONG_NS = 400_000_000;

it("one thread: an operation takes its work, in and outside of locks", () => {
  expect(rate({})).toBeCloseTo(1000 / (HOLD_NS + OUTSIDE_NS), 3);
});

it("one lock that is always wanted: hold and hand-over, whoever asks", () => {
  for (const spinlock of ["queued", "test-and-set"] as const) {
    for (const threads of [2, 3, 4]) {
      const busy = rate({ threads, spinlock });
      expect(busy / (1000 / (HOLD_NS + 2 * LINE_NS))).toBeCloseTo(1, 2);
    }
  }
});

it("no lock: as many threads as CPUs of the host, and no further", () => {
  for (const design of ["no-cpa-lock", "skip-for-present", "split-mark"]) {
    const one = rate({ design });
    for (const threads of [2, 3, 4]) {
      const many = rate({ design, threads, hostCpus: 2 }, LONG_NS);
      expect(many / one).toBeCloseTo(2, 1);
    }
  }
});

it("as many CPUs as threads: the same as the storm of a host, by every design", () => {
  const passes = 40;
  const pages = 500;
  for (const design of DESIGNS) {
    for (const threads of [1, 2, 3, 4]) {
      const plain = plainStorm({ tasks: threads, pages, holdNs: 0, thinkNs: 0 });
      const storm = runStorm({
        ...plain,
        design: DESIGN_BY_NAME.get(design)!,
        costs: COSTS,
        ops: [{ kind: "kernel", request: "invalid", leadNs: OUTSIDE_NS }],
        vms: plain.vms.map((vm, i) => ({
          ...vm,
          firstFrame: 512 * i,
          phases: vm.phases.map((phase) => ({ ...phase, passes })),
        })),
      });
      const operations = threads * pages * passes;
      const guest = new GuestStorm(setup({ design, threads, spinlock: "queued" }));
      const done = guest.run(0, operations);
      const asMany = (done.elapsedNs * operations) / done.operations;
      expect(asMany / storm.makespanNs).toBeCloseTo(1, 2);
    }
  }
});

it("while nobody loses a CPU, both kinds of lock are one", () => {
  for (const threads of [2, 4]) {
    const entry = "2m";
    const queued = new GuestStorm(setup({ threads, entry, spinlock: "queued" })).run(0, 500);
    const unfair = new GuestStorm(setup({ threads, entry, spinlock: "test-and-set" })).run(0, 500);
    expect(unfair).toEqual(queued);
  }
});

it("four threads on two CPUs, under one lock: queued is a cliff, test-and-set a step", () => {
  const alone = rate({});
  const unfair = rate({ ...OVERCOMMIT, spinlock: "test-and-set" }, LONG_NS);
  const queued = rate({ ...OVERCOMMIT, spinlock: "queued" }, LONG_NS);
  expect(unfair).toBeGreaterThan(alone / 3);
  expect(unfair).toBeLessThan(alone);
  expect(unfair / queued).toBeGreaterThan(20);
});

it("who spins gives its CPU to a holder that has none: the sooner, the less is lost", () => {
  for (const spinlock of ["queued", "test-and-set"] as const) {
    const spins = [10_000, 100_000, 1_000_000, 10_000_000, Number.POSITIVE_INFINITY];
    const rates = spins.map((spinNs) => rate({ ...OVERCOMMIT, spinlock, spinNs }, LONG_NS));
    for (let i = 1; i < rates.length; i += 1) expect(rates[i]).toBeLessThan(1.02 * rates[i - 1]!);
    expect(rates[0]! / rates[4]!).toBeGreaterThan(1.5);
  }
  // At best the lock is busy all the time, as if every thread had a CPU.
  const bound = 1000 / (HOLD_NS + 2 * LINE_NS);
  const atOnce = rate({ ...OVERCOMMIT, spinNs: 10_000 }, LONG_NS);
  expect(atOnce).toBeLessThan(1.01 * bound);
  expect(atOnce).toBeGreaterThan(0.95 * bound);
});

it("what may be done as one comes to the same done one by one", () => {
  const unfair = [{}, { spinNs: 300_000 }, { spinNs: 3_000_000 }];
  const apart = [{ design: "no-cpa-lock" }, { design: "per-pmd-lock" }];
  for (const options of [...unfair, ...apart]) {
    const crowded = { ...OVERCOMMIT, costs: { ...COSTS, lineL3: 10 * LINE_NS }, ...options };
    const atOnce = operationsAtOnce(setup(crowded));
    expect(atOnce).toBeGreaterThanOrEqual(10);
    const joined = rate({ ...crowded, atOnce }, 10 * LONG_NS);
    expect(joined / rate(crowded, 10 * LONG_NS)).toBeCloseTo(1, 1);
  }
});

it("who waits in a queue or for answers does so once an operation", () => {
  for (const options of [{ spinlock: "queued" as const }, { entry: "2m" as const }]) {
    expect(operationsAtOnce(setup({ ...OVERCOMMIT, ...options }))).toBe(1);
  }
});

it("where nobody spins, or nobody waits for a CPU, it does not matter how long one would", () => {
  const calm = { design: "no-cpa-lock", threads: 4, vcpus: 4, hostCpus: 2 };
  const roomy = { threads: 4, vcpus: 4, hostCpus: 4 };
  for (const options of [calm, roomy]) {
    expect(rate({ ...options, spinNs: 1000 }, LONG_NS)).toBe(rate(options, LONG_NS));
  }
});

it("never two holders, and none without a holder while one that runs waits", () => {
  const counts = { holds: 0, waits: 0, stops: 0 };
  fc.assert(
    fc.property(
      fc.record({
        threads: fc.integer({ min: 1, max: 6 }),
        hostCpus: fc.integer({ min: 1, max: 4 }),
        spinlock: fc.constantFrom("queued" as const, "test-and-set" as const),
        timeSlice: fc.integer({ min: 500, max: 20_000 }),
        outsideNs: fc.integer({ min: 0, max: 3000 }),
        spinNs: fc.oneof(
          fc.integer({ min: 1, max: 50_000 }),
          fc.constant(Number.POSITIVE_INFINITY),
        ),
        seed: fc.integer(),
      }),
      ({ timeSlice, ...options }) => {
        const costs: CostsNs = { ...COSTS, timeSlice };
        const hook = oneLock(options.spinlock, counts);
        new GuestStorm(setup({ ...options, costs, vcpus: options.threads }), hook).run(0, 300);
      },
    ),
  );
  // The law was put to the test.
  expect(Math.min(...Object.values(counts))).toBeGreaterThan(1000);
});

/** Follows one lock by what the storm tells of it. */
function oneLock(spinlock: GuestStormSetup["spinlock"], counts: Record<string, number>): GuestHook {
  const running = new Set<number>();
  const waiting = new Set<number>();
  let holder: number | undefined;
  let seenNs = 0;
  return (what, vcpu, now) => {
    if (now > seenNs && holder === undefined) {
      const couldHold = [...waiting].filter((v) => spinlock === "queued" || running.has(v));
      expect(couldHold).toEqual([]);
    }
    seenNs = now;
    counts[what] = (counts[what] ?? 0) + 1;
    if (what === "runs") running.add(vcpu);
    else if (what === "stops") running.delete(vcpu);
    else if (what === "asks") {
      if (holder !== undefined) counts.waits = (counts.waits ?? 0) + 1;
      waiting.add(vcpu);
    } else if (what === "holds") {
      expect(holder).toBeUndefined();
      expect(waiting.delete(vcpu)).toBe(true);
      if (spinlock === "test-and-set") expect(running).toContain(vcpu);
      holder = vcpu;
    } else {
      expect(holder).toBe(vcpu);
      holder = undefined;
    }
    expect(running.size).toBeLessThanOrEqual(4);
  };
}

it("a split waits for every other vCPU: on CPUs that are left, one after the other", () => {
  const split = { entry: "2m", outsideNs: 0 } as const;
  const ownNs = 1000 / rate({ ...split }, 0, 100);
  for (const [vcpus, hostCpus, turns] of [
    [2, 2, 1],
    [4, 4, 1],
    [4, 2, 3],
    [4, 3, 2],
  ] as const) {
    for (const wakeUpNs of [0, 20_000]) {
      const ns = 1000 / rate({ ...split, vcpus, hostCpus, wakeUpNs }, 0, 100);
      // Now and then the sender's own turn ends, and two answer at once.
      expect(ns / (ownNs + turns * (wakeUpNs + ANSWER_NS))).toBeCloseTo(1, 1.5);
    }
  }
});

it("a flush costs its receivers their time: each thread pays for its own and for the other's", () => {
  const outsideNs = 100_000;
  const split = { entry: "2m", outsideNs } as const;
  const aloneNs = 1000 / rate({ ...split }, 0, 100);
  // None is idle, so none has to be woken up.
  const eachNs = 2000 / rate({ ...split, threads: 2, wakeUpNs: 20_000 }, 0, 200);
  expect(eachNs / (aloneNs + 2 * ANSWER_NS)).toBeCloseTo(1, 1.5);
});

it("four threads that split on two CPUs wait for turns, not for answers", () => {
  const split = { entry: "2m", threads: 4, vcpus: 4 } as const;
  const enough = rate({ ...split, hostCpus: 4 }, LONG_NS, 10);
  const crowded = rate({ ...split, hostCpus: 2 }, LONG_NS, 10);
  expect(enough / crowded).toBeGreaterThan(20);
  // Two that have no CPU when a flush is sent have had one a turn later, or two.
  expect(1000 / crowded).toBeGreaterThan(COSTS.timeSlice / 2);
  expect(1000 / crowded).toBeLessThan(3 * COSTS.timeSlice);
});

it("threads wait for turns one after the other where a flush is under a global lock, else at once", () => {
  const split = { ...OVERCOMMIT, entry: "2m" } as const;
  const under = rate({ ...split, design: "no-cpa-lock" }, LONG_NS, 10);
  for (const design of ["per-pmd-lock", "split-mark"]) {
    const outside = rate({ ...split, design }, LONG_NS, 10);
    expect(outside / under).toBeGreaterThan(2);
    expect(outside / under).toBeLessThan(4);
  }
});

it("the same seed, the same storm", () => {
  const run = (seed: number) => new GuestStorm(setup({ ...OVERCOMMIT, seed })).run(LONG_NS / 10, 0);
  expect(run(7)).toEqual(run(7));
  expect(run(7)).not.toEqual(run(8));
});
