import { expect, test } from "vitest";
import { alonePages, freedPoints, keptCpus, showsLock, slowdownOf } from "./free-sweep.ts";
import type { RoundAsk, RoundResult } from "./pressure.ts";

/** Process p fills from 0 to `fillNs[p]` and frees from 1,000 on for `freeNs[p]`. */
function round(
  ask: Omit<RoundAsk, "processes">,
  freeNs: readonly number[],
  options: { fillNs?: number; delayNs?: number } = {},
): RoundResult {
  const { fillNs = 500, delayNs } = options;
  return {
    ...ask,
    processes: freeNs.length,
    workers: freeNs.map((ns, cpu) => ({
      pid: cpu,
      cpu,
      fill: { startNs: 0n, endNs: BigInt(fillNs) },
      free: { startNs: 1000n, endNs: 1000n + BigInt(ns) },
      ...(delayNs === undefined ? {} : { delayNs }),
    })),
  };
}

const files = (count: number, delayNs: number) =>
  ({ kind: "secret", pages: 10, split: { files: count, delayNs } }) as const;

test("a point is the mean of its processes, one value a round", () => {
  const points = freedPoints([round(files(5, 0), [100, 300]), round(files(5, 0), [200, 600])]);
  expect(points).toEqual([
    {
      processes: 2,
      pagesPerFile: 2,
      filesPerProcess: 5,
      delayAskedNs: 0,
      delayNs: 0,
      nsPerPage: [20, 40],
    },
  ]);
});

test("points are told apart by processes, file size and asked delay, in this order", () => {
  const rounds = [
    round(files(5, 400), [1], { delayNs: 410 }),
    round(files(5, 0), [1, 1], { delayNs: 0 }),
    round(files(1, 0), [1], { delayNs: 0 }),
    round(files(5, 0), [1], { delayNs: 0 }),
  ];
  const keys = freedPoints(rounds).map(({ processes, pagesPerFile, delayAskedNs }) => [
    processes,
    pagesPerFile,
    delayAskedNs,
  ]);
  expect(keys).toEqual([
    [1, 2, 0],
    [1, 2, 400],
    [1, 10, 0],
    [2, 2, 0],
  ]);
});

test("the delay is the median of what was achieved by this number of processes, in files of any size", () => {
  const points = freedPoints([
    round(files(5, 400), [1], { delayNs: 402 }),
    round(files(1, 400), [1], { delayNs: 404 }),
    round(files(1, 400), [1], { delayNs: 9000 }),
    round(files(5, 400), [1, 1], { delayNs: 450 }),
  ]);
  expect(points.map(({ delayNs }) => delayNs)).toEqual([404, 404, 450]);
});

test("costs of a page alone are of whole files and one process", () => {
  const secret = { kind: "secret", pages: 10 } as const;
  const plain = { kind: "plain", pages: 10 } as const;
  const rounds = [
    round(secret, [100], { fillNs: 900 }),
    round(plain, [50], { fillNs: 300 }),
    round(files(5, 0), [7]),
    round(secret, [8, 8]),
  ];
  expect(alonePages(rounds)).toEqual({
    secretFillNs: [90],
    plainFillNs: [30],
    secretFreeNs: [10],
    plainFreeNs: [5],
  });
});

test("a round kept its CPUs when at most one process in twenty lost its own", () => {
  const lost = (count: number, of: number) => {
    const calm = round(files(5, 0), Array(of).fill(1));
    const workers = calm.workers.map((worker, i) => ({
      ...worker,
      freePreemptions: i < count ? 2 : 0,
    }));
    return keptCpus({ ...calm, workers });
  };
  expect([lost(0, 1), lost(1, 1), lost(1, 19), lost(1, 20), lost(2, 39), lost(2, 40)]).toEqual([
    true,
    false,
    false,
    true,
    false,
    true,
  ]);
});

test("the lock is shown where secret pages lose more by running together than plain ones", () => {
  const plain = { kind: "plain", pages: 10 } as const;
  const rounds = (secretNs: number) => [
    ...[1000, 1001, 1002].map((ns) => round(files(1, 0), [ns])),
    ...[1000, 1001, 1002].map((ns) => round(files(1, 0), [ns + secretNs, ns + secretNs])),
    ...[500, 501, 502].flatMap((ns) => [round(plain, [ns]), round(plain, [ns + 50, ns + 50])]),
  ];
  const slowdown = (secretNs: number) =>
    slowdownOf(rounds(secretNs), freedPoints(rounds(secretNs)), 1);
  expect(slowdown(400)).toMatchObject({ processes: 2 });
  expect(slowdown(400).secret.value).toBeCloseTo(1.4, 2);
  expect(slowdown(400).plain.value).toBeCloseTo(1.1, 2);
  expect([400, 100].map((ns) => showsLock(slowdown(ns)))).toEqual([true, false]);
});
