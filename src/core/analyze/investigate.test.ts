import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Finding, findingsOf } from "./investigate.ts";
import type {
  PhaseLockShare,
  PressurePhaseName,
  PressureResult,
  Ratio,
  Scaling,
} from "./result.ts";

type RatioTuple = readonly [low: number, value: number, high: number];
type ShareTuple = readonly [phase: PressurePhaseName, lock: string, share: number, caller?: string];

/** A measurement as the few numbers that findings are drawn from. */
interface Case {
  readonly processes?: number;
  readonly cpuCount?: number;
  readonly free?: RatioTuple;
  readonly fill?: RatioTuple;
  readonly control?: RatioTuple;
  /** Left out: lock waits were not recorded. */
  readonly shares?: readonly ShareTuple[];
}

function pressureOf({ processes = 2, free, fill, control, shares }: Case): PressureResult {
  const scaling = Object.entries({ free, fill, control }).flatMap(([phase, tuple]): Scaling[] => {
    if (tuple === undefined) return [];
    const [low, value, high] = tuple;
    return [{ phase: phase as PressurePhaseName, processes, ratio: { low, value, high } }];
  });
  const lockShares = shares?.map(
    ([phase, name, shareOfTime, caller]): PhaseLockShare => ({
      phase,
      processes,
      lock: { name, address: `0x${name}`, evidence: "symbol" },
      waits: 1,
      waitNsTotal: 1,
      shareOfTime,
      ...(caller && { caller }),
    }),
  );
  return {
    phases: [],
    scaling,
    seed: 1,
    pagesPerProcess: 1,
    rounds: 1,
    directMap: { before: {}, after: {} },
    ...(lockShares && { lockShares }),
  };
}

function findings(input: Case): readonly Finding[] {
  const { cpuCount = input.processes ?? 2 } = input;
  return findingsOf(pressureOf(input), { cpuCount });
}

const kinds = (input: Case) => findings(input).map((finding) => finding.kind);

const good: RatioTuple = [1.7, 1.8, 1.9];
const bad: RatioTuple = [0.5, 0.58, 0.65];

describe("what may be said", () => {
  test("two processes free slower than one and wait for cpa_lock: serialised, with its caller", () => {
    const input: Case = {
      free: bad,
      control: good,
      shares: [["free", "cpa_lock", 0.41, "set_direct_map_default_noflush"]],
    };
    expect(findings(input)[0]).toMatchObject({
      kind: "serialised",
      lock: { name: "cpa_lock" },
      caller: "set_direct_map_default_noflush",
      callerShare: 1,
      shareOfTime: 0.41,
      controlRatio: { value: 1.8 },
    });
  });

  test("fill is slow but hardly waits for locks: it does not scale, and no lock is blamed", () => {
    const input: Case = { fill: bad, control: good, shares: [["fill", "cpa_lock", 0.05]] };
    expect(findings(input)[0]).toMatchObject({
      kind: "does-not-scale",
      recorded: true,
      largestWait: { lock: { name: "cpa_lock" }, shareOfTime: 0.05 },
    });
  });

  test("nothing waited: it does not scale, and no lock is named", () => {
    const [finding] = findings({ free: bad, control: good, shares: [] });
    expect(finding).toMatchObject({ kind: "does-not-scale", recorded: true });
    expect(finding).not.toHaveProperty("largestWait");
  });

  test("without a recording no lock is named, and the reader is told", () => {
    expect(findings({ free: bad, control: good })).toMatchObject([
      { kind: "does-not-scale", recorded: false },
      { kind: "not-recorded" },
    ]);
  });

  test("the interval reaches what scales: undecided, whatever the lock wait", () => {
    expect(
      kinds({ free: [0.6, 1.1, 1.7], control: good, shares: [["free", "cpa_lock", 0.9]] }),
    ).toEqual(["undecided"]);
  });

  test("the interval reaches the control's: undecided, for the machine may be the cause", () => {
    expect(kinds({ free: [0.9, 1.1, 1.3], control: [1.2, 1.6, 2], shares: [] })).toEqual([
      "undecided",
    ]);
  });

  test("even the control does not scale: that is said first", () => {
    const input: Case = {
      free: bad,
      control: [0.9, 1.1, 1.3],
      shares: [["free", "cpa_lock", 0.5]],
    };
    expect(kinds(input)).toEqual(["control-does-not-scale", "serialised"]);
  });

  test("eight processes reach three times one, waiting for a lock: held back, not serialised", () => {
    const input: Case = {
      processes: 8,
      free: [2.9, 3, 3.1],
      control: [7, 7.5, 8],
      shares: [["free", "cpa_lock", 0.5]],
    };
    expect(kinds(input)).toEqual(["held-back"]);
  });

  test("both phases scale: that is the answer", () => {
    expect(kinds({ free: good, fill: good, control: good, shares: [] })).toEqual([
      "scales",
      "scales",
    ]);
  });

  test("the phase whose wait explains more leads", () => {
    const input: Case = {
      free: bad,
      fill: bad,
      control: good,
      shares: [
        ["free", "cpa_lock", 0.35],
        ["fill", "cpa_lock", 0.6],
      ],
    };
    expect(findings(input)[0]).toMatchObject({ kind: "serialised", phase: "fill" });
  });

  test("waits of several callers for one lock count together; the largest caller is named", () => {
    const input: Case = {
      free: bad,
      control: good,
      shares: [
        ["free", "cpa_lock", 0.15, "a"],
        ["free", "cpa_lock", 0.25, "b"],
        ["free", "zone", 0.3, "c"],
      ],
    };
    const [finding] = findings(input);
    expect(finding).toMatchObject({ kind: "serialised", lock: { name: "cpa_lock" }, caller: "b" });
    expect(finding).toHaveProperty("callerShare", 0.625);
  });

  test("more processes than CPUs are measured by the CPUs", () => {
    expect(kinds({ processes: 8, cpuCount: 2, free: [1.8, 1.9, 2], shares: [] })).toEqual([
      "scales",
    ]);
  });

  test("one process, or one CPU: nothing to compare", () => {
    const one: RatioTuple = [1, 1, 1];
    expect(kinds({ processes: 1, free: one, shares: [] })).toEqual(["no-comparison"]);
    expect(kinds({ processes: 4, cpuCount: 1, free: bad, shares: [] })).toEqual(["no-comparison"]);
  });

  test("no load: the reason is the finding", () => {
    expect(findingsOf(undefined, { cpuCount: 2, whyNoPressure: "no memfd_secret" })).toEqual([
      { kind: "no-pressure", why: "no memfd_secret" },
    ]);
  });
});

const ratioTuple = fc
  .tuple(...[0, 1, 2].map(() => fc.double({ min: 0.01, max: 70, noNaN: true })))
  .map((values) => values.sort((a, b) => a! - b!) as unknown as RatioTuple);
const anyCase: fc.Arbitrary<Case> = fc.record(
  {
    processes: fc.integer({ min: 1, max: 64 }),
    cpuCount: fc.integer({ min: 1, max: 64 }),
    free: ratioTuple,
    fill: ratioTuple,
    control: ratioTuple,
    shares: fc.array(
      fc.tuple(
        fc.constantFrom<PressurePhaseName>("free", "fill", "control"),
        fc.constantFrom("cpa_lock", "pgd_lock"),
        fc.double({ min: 0, max: 1, noNaN: true }),
      ),
    ),
  },
  { requiredKeys: [] },
);

test("a lock is blamed only below the control and below the ideal, for any measurement", () => {
  fc.assert(
    fc.property(anyCase, (input) => {
      const all = findings(input);
      expect(all.length).toBeGreaterThan(0);
      for (const finding of all) {
        if (finding.kind !== "serialised" && finding.kind !== "held-back") continue;
        const most = Math.min(finding.processes, input.cpuCount ?? finding.processes);
        expect(finding.ratio.high).toBeLessThan(1 + (most - 1) / 2);
        expect(finding.ratio.high).toBeLessThan(low(finding.controlRatio));
        expect(finding.shareOfTime).toBeGreaterThan(0);
        expect(input.shares).toBeDefined();
      }
    }),
  );
});

function low(ratio: Ratio | undefined): number {
  return ratio?.low ?? Number.POSITIVE_INFINITY;
}
