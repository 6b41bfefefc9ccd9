import { describe, expect, test } from "vitest";
import { type CalibrationResult, inDoubt } from "../analyze/calibration-result.ts";
import { costFileText, readCostFile } from "../kernel/cost/cost-file.ts";
import { calibrateReport } from "./calibrate-report.ts";
import { htmlPage } from "./html-page.ts";
import { displayWidth } from "./plain-text.ts";
import { terminalReport } from "./terminal-report.ts";

const cost = (ns: number) => ({ ns, low: ns * 0.9, high: ns * 1.1, identified: "well" }) as const;
const counts = [1, 2, 4];
const delays = [0, 403];
const points = counts.flatMap((processes) =>
  [4, 64].flatMap((pagesPerFile) =>
    delays.map((delayNs) => {
      const ns = 1000 + 150 * processes + (8000 + delayNs) / pagesPerFile;
      return {
        processes,
        pagesPerFile,
        filesPerProcess: 512 / pagesPerFile,
        delayAskedNs: delayNs === 0 ? 0 : 400,
        delayNs,
        nsPerPage: [0.98, 0.99, 1, 1, 1.01, 1.02].map((noise) => noise * ns),
      };
    }),
  ),
);
const calibration = {
  cpus: 4,
  holdNs: cost(312),
  outsideNs: cost(1100),
  fileNs: { ...cost(8000), identified: "weakly" },
  flushNs: cost(14_000),
  faultNs: cost(2700),
  spread: "exponential",
  kneeProcesses: { value: 4.5, low: 4.1, high: 4.9 },
  points: points.map(({ nsPerPage }) => ({
    measuredNs: nsPerPage[2]!,
    measuredLow: nsPerPage[0]!,
    measuredHigh: nsPerPage[5]!,
    fittedNs: nsPerPage[2]! * 1.01,
    leftOutNs: nsPerPage[2]! * 0.95,
  })),
  predictionErrorPercent: { median: 2.1, max: 5 },
} as const;
const result: CalibrationResult = {
  kernel: { release: "6.18.44", cpuCount: 4, cpuModel: "AMD EPYC" },
  points,
  alone: {
    secretFillNs: [16_000],
    plainFillNs: [2700],
    secretFreeNs: [1400],
    plainFreeNs: [1000],
  },
  calibration,
  slowdown: {
    processes: 4,
    secret: { value: 1.4, low: 1.35, high: 1.45 },
    plain: { value: 1.05, low: 1.01, high: 1.1 },
  },
  disturbed: 0,
  missing: [],
  pagesPerProcess: 512,
  rounds: 6,
  seed: 1,
  directMap: { before: {}, after: {} },
  rejects: [{ why: "the processes of a round did not start together", count: 3 }],
};
const measuredOn = { host: "AMD EPYC", kernel: "6.18.44", cpus: 4, takenAt: "2025-11-22" };
const costs = readCostFile(costFileText(calibration, { name: "lab", measuredOn }), "lab.json");

function report(changes: Partial<CalibrationResult> = {}) {
  return calibrateReport({
    result: { ...result, ...changes },
    costs,
    file: "lab.json",
    reproduce: ["bootstorm calibrate"],
    maker: { version: "0.1.0", at: "2025-11-22 11:20 UTC" },
  });
}

const text = (changes: Partial<CalibrationResult> = {}) =>
  terminalReport(report(changes), { width: 80, ascii: false });
const flowing = (said: string) => said.replaceAll(/\s+/g, " ");

test("the answer has hold, work outside, knee and the error to expect, with intervals", () => {
  expect(flowing(text())).toMatch(
    /^On this host \(6.18.44, 4 CPUs\) a direct-map change holds its lock for 312 ns \(281 ns to 343 ns\), hand-off included, with 1.10 µs \(990 ns to 1.21 µs\) of a page's work outside it: the lock saturates at 4.50 processes \(4.10 to 4.90\); predictions are off by 2.10 % in the median and 5.00 % at most\. /,
  );
});

describe("where plain memory is slowed as much", () => {
  const slowdown = { ...result.slowdown, plain: { value: 1.38, low: 1.3, high: 1.5 } };

  test("the answer says that the hold cannot be told", () => {
    expect(flowing(text({ slowdown }))).toMatch(
      /^On this host .* the hold of the direct-map lock cannot be told: 4 processes lose not clearly more by running together \(1.40×\) than with plain memory \(1.38×\)/,
    );
  });

  test("hold and work outside are weakly identified, whatever the fit says", () => {
    const doubted = inDoubt(calibration, slowdown);
    expect(doubted.holdNs).toEqual({ ...calibration.holdNs, identified: "weakly" });
    expect(doubted.outsideNs.identified).toBe("weakly");
    expect(doubted.flushNs.identified).toBe("well");
    expect(inDoubt(calibration, result.slowdown)).toEqual(calibration);
    const shown = text({ slowdown, calibration: doubted });
    expect(shown).toContain("Weakly identified: the hold of the lock, the work outside it, the");
    expect(shown).toMatch(/\nlock hold and hand-off, a page +312 +281 +343 +weakly\n/);
  });
});

test("every point stands beside its fit and its prediction unseen", () => {
  expect(text()).toMatch(/\n +4 +64 +403 +1,731 +1,697 to 1,766 +1,749 +1,645 +-5.0\n/);
  expect(text().match(/-5\.0\n/g)).toHaveLength(points.length);
});

test("recorded waits stand beside the model's; lower bounds are called so", () => {
  const recorded = {
    lock: { name: "cpa_lock", address: "0xffffffff81000000", evidence: "symbol" },
    processes: 4,
    pagesPerFile: 64,
    waitNsPerPage: 130,
    predictedNsPerPage: 145,
    price: { value: 1.07, low: 1.05, high: 1.1 },
    visibility: "all",
  } as const;
  const sentence =
    "4 processes freeing files of 64 pages waited 130 ns a page for cpa_lock; the model, which was not fitted to waits, says 145 ns. In recorded rounds a page took 1.07× (1.05 to 1.10) as long as in others.";
  expect(flowing(text({ recorded }))).toContain(sentence);
  const bound = text({ recorded: { ...recorded, visibility: "misses-first-waiter" } });
  expect(flowing(bound)).toContain(sentence.replace("waited", "waited at least"));
  expect(flowing(bound)).toContain("Waits are lower bounds");
});

test("a resample without a knee is not a million processes", () => {
  const kneeProcesses = { value: 8.98, low: 1, high: 1e6 };
  expect(flowing(text({ calibration: { ...calibration, kneeProcesses } }))).toContain(
    "saturates at 8.98 processes (1.00 or more);",
  );
});

test("no line is wider than the terminal; page and terminal have the same sections", () => {
  for (const line of text().split("\n")) expect(displayWidth(line)).toBeLessThanOrEqual(80);
  const page = htmlPage(report());
  for (const { title } of report().sections) {
    expect(page).toContain(title);
    expect(text()).toContain(title);
  }
});
