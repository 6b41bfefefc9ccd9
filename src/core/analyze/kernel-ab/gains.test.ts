import { describe, expect, test } from "vitest";
import { kernelGains, type PredictedArmPoint } from "./gains.ts";
import { lockMoves } from "./lock-moves.ts";
import type { Comparison, KernelAbResult, LockPoint } from "./result.ts";

const place = { load: "toggle", vcpus: 4, threads: 4 } as const;

function resultWith(comparisons: readonly Comparison[]): KernelAbResult {
  const arms = [0, 1, 2].map((i) => ({ name: `k${i}`, boots: 8, bootsDone: 8 }));
  return {
    arms,
    points: [{ ...place, arms: [undefined, undefined, undefined] }],
    comparisons,
    locks: [],
    mixed: [],
    failures: [],
  };
}

function faster(arm: number, value: number, low?: number, high?: number): Comparison {
  const range = { ...(low && { low }), ...(high && { high }) };
  return {
    ...place,
    ...{ arm, pairs: 8, speedUp: { value, ...range }, p: 0.01, pAdjusted: 0.02 },
    verdict: low === undefined ? "too-few" : "faster",
  };
}

function predicted(
  arm: number,
  opsPerSecond: number,
  low: number,
  high: number,
): PredictedArmPoint {
  return { ...place, arm, opsPerSecond, low, high, fitted: false };
}

function modelOf(...points: PredictedArmPoint[]) {
  return { costs: [], points, leavesOut: [] };
}

describe("gains", () => {
  test("a predicted gain is the arm over the base, both at the same end of the costs", () => {
    const model = modelOf(predicted(0, 100, 80, 120), predicted(1, 300, 200, 400));
    const [row] = kernelGains(resultWith([faster(1, 2, 1.8, 2.2)]), model).rows;
    expect(row!.predicted).toEqual({ value: 3, low: 2.5, high: 400 / 120, overMeasured: 1.5 });
    expect(row!.measured).toMatchObject({ value: 2, low: 1.8, high: 2.2, p: 0.02 });
  });

  test("every arm but the base has its row, measured or not, predicted or not", () => {
    const { rows } = kernelGains(resultWith([]), { why: "no base" });
    expect(rows).toEqual([
      { ...place, arm: 1 },
      { ...place, arm: 2 },
    ]);
  });

  test("too high by a half and too low by a half are equally far off", () => {
    const model = modelOf(
      predicted(0, 100, 100, 100),
      predicted(1, 300, 290, 310),
      predicted(2, 100, 90, 110),
    );
    const measured = [faster(1, 2, 1.8, 2.2), faster(2, 1.5, 1.05, 1.9)];
    const { accuracy } = kernelGains(resultWith(measured), model);
    expect(accuracy).toEqual({ rows: 2, timesOffMedian: 1.5, timesOffMax: 1.5, within: 1 });
  });

  test("with one thread, what is off is not the locks", () => {
    const at = (threads: number) => ({ ...place, threads });
    const of = (threads: number, arm: number, rate: number) => ({
      ...predicted(arm, rate, rate, rate),
      ...at(threads),
    });
    const model = modelOf(of(1, 0, 100), of(1, 1, 100), of(2, 0, 100), of(2, 1, 400));
    const measured = [
      { ...faster(1, 0.8, 0.7, 0.9), ...at(1) },
      { ...faster(1, 2, 1.8, 2.2), ...at(2) },
    ];
    const points = [at(1), at(2)].map((where) => ({ ...where, arms: [] }));
    const result = { ...resultWith(measured), points };
    expect(kernelGains(result, model).accuracy).toMatchObject({
      timesOffMax: 2,
      timesOffAlone: 1.25,
    });
  });

  test("a measurement without an interval says nothing of the model", () => {
    const model = modelOf(predicted(0, 100, 90, 110), predicted(1, 300, 290, 310));
    expect(kernelGains(resultWith([faster(1, 2)]), model).accuracy).toBeUndefined();
  });
});

describe("where the waiting went", () => {
  const waits = (arm: number, boots: number, ms: Readonly<Record<string, number>>): LockPoint => ({
    ...place,
    arm,
    boots,
    opsDone: 100,
    locks: Object.entries(ms)
      .sort(([, a], [, b]) => b - a)
      .map(([name, each]) => ({
        ...{ name, acquired: 100, contended: 1, waitNsTotal: each * 1e6, waitNsMax: each * 1e6 },
        ...{ holdNsTotal: 1, waiters: [] },
      })),
  });
  const base = waits(0, 1, { cpa_lock: 2600, pgd_lock: 0 });

  test("to the next lock, which nobody waited for before; times are an average boot's", () => {
    const locks = [base, waits(1, 2, { pgd_lock: 3800 })];
    expect(lockMoves({ locks })).toEqual([
      {
        ...place,
        arm: 1,
        ...{ from: "cpa_lock", fromNsBase: 2.6e9, fromNs: 0 },
        ...{ to: "pgd_lock", toNsBase: 0, toNs: 1.9e9 },
      },
    ]);
  });

  test("to nowhere, where what is left is not to speak of", () => {
    const locks = [base, waits(1, 1, { pgd_lock: 0.094 })];
    expect(lockMoves({ locks })).toMatchObject([{ arm: 1, from: "cpa_lock" }]);
    expect(lockMoves({ locks })[0]).not.toHaveProperty("to");
  });

  test("it has not moved where the base's lock is waited for as before, or the base waits for none", () => {
    expect(lockMoves({ locks: [base, waits(1, 1, { cpa_lock: 1400 })] })).toEqual([]);
    expect(lockMoves({ locks: [waits(0, 1, { cpa_lock: 0 }), waits(1, 1, {})] })).toEqual([]);
  });
});
