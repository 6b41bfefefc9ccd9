import { expect, test } from "vitest";
import type { FreedPoint } from "./free-sweep.ts";
import { predictionOf, setApart } from "./prediction.ts";

const point = (processes: number, pagesPerFile: number, delayAskedNs: number): FreedPoint => ({
  processes,
  pagesPerFile,
  filesPerProcess: 64 / pagesPerFile,
  delayAskedNs,
  delayNs: delayAskedNs,
  nsPerPage: [100 * processes, 110 * processes, 120 * processes],
});
const sweep = [1, 2, 4].flatMap((processes) =>
  [4, 64].flatMap((pages) => [0, 400].map((delay) => point(processes, pages, delay))),
);
const fit = {
  holdNs: { ns: 40, low: 30, high: 50, identified: "well" },
  kneeProcesses: { value: 3, low: 2, high: 4 },
} as const;

test("the fit sees every point but the most processes without a delay", () => {
  const { seen, unseen } = setApart(sweep);
  expect(unseen).toEqual([point(4, 4, 0), point(4, 64, 0)]);
  expect(seen).toHaveLength(sweep.length - 2);
  expect(seen).not.toContainEqual(expect.objectContaining({ processes: 4, delayAskedNs: 0 }));
});

test("a prediction has each unseen point; its curve is the largest files up to the unseen one", () => {
  const prediction = predictionOf(sweep, fit, ({ processes }) => 111 * processes);
  expect(prediction.processes).toBe(4);
  expect(prediction.points.map(({ pagesPerFile }) => pagesPerFile)).toEqual([4, 64]);
  expect(prediction.curve.map(({ processes }) => processes)).toEqual([1, 2, 4]);
  const last = prediction.curve.at(-1)!;
  expect(last).toMatchObject({ pagesPerFile: 64, predictedNs: 444 });
  expect(last.measuredNs.median).toBe(440);
});
