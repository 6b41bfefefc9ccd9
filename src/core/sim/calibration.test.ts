import { describe, expect, it } from "vitest";
import { type Host, measure, type Sweep, trueNsPerPage } from "../../../test/sim/measured-host.ts";
import {
  type Calibration,
  type CalibrationInput,
  calibrate,
  predictNsPerPage,
} from "./calibration.ts";

/** The lock saturates between one process and two: the delays make it free again. */
const HOST: Host = { holdNs: 520, outsideNs: 300, fileNs: 800, law: "exponential", noise: 0.03 };
const SWEEP: Sweep = {
  processes: [1, 2],
  pagesPerFile: [2, 16],
  delaysNs: [0, 400, 1200, 4000],
  pages: 256,
  repetitions: 15,
};
/** For laws that hold for any sweep. */
const SHORT: Sweep = { ...SWEEP, delaysNs: [0, 1200], repetitions: 7 };

const ONE_PAGE = {
  secretFillNs: [5000],
  plainFillNs: [900],
  secretFreeNs: [1000],
  plainFreeNs: [200],
};

function calibration(host: Host, sweep: Sweep, seed: number, more: Partial<CalibrationInput> = {}) {
  const free = measure(host, sweep, seed);
  return calibrate({ cpus: 2, free, onePage: ONE_PAGE, seed, bootstraps: 200, ...more });
}

function within(percent: number, value: number, truth: number, what: string) {
  expect(Math.abs(value / truth - 1), `${what}: ${value}, in truth ${truth}`).toBeLessThan(
    percent / 100,
  );
}

describe("a host of known times, 3 % of noise, one and two processes", () => {
  it.each([
    { law: "exponential", seed: 101 },
    { law: "exponential", seed: 102 },
    { law: "none", seed: 103 },
    { law: "none", seed: 104 },
  ] as const)("$law, seed $seed: times, and 4 to 64 processes, within 10 %", ({ law, seed }) => {
    const host = { ...HOST, law };
    const found = calibration(host, SWEEP, seed);
    expect(found.spread).toBe(law);
    for (const key of ["holdNs", "outsideNs", "fileNs"] as const) {
      within(10, found[key].ns, host[key], key);
      expect(found[key].identified).toBe("well");
    }
    within(10, found.kneeProcesses.value, 820 / 520, "knee");
    expect(found.predictionErrorPercent.median).toBeLessThan(4);
    for (const processes of [4, 16, 64]) {
      const load = { processes, pagesPerFile: 2, filesPerProcess: 128, delayNs: 0 };
      const predicted = predictNsPerPage(found, load, seed);
      within(10, predicted, trueNsPerPage(host, load, 20, seed), `${processes} processes`);
    }
  });
});

it("without chance and noise the times are found to rounding, and the interval has no width to speak of", () => {
  const found = calibration({ ...HOST, law: "none", noise: 0 }, SWEEP, 1);
  expect(found.spread).toBe("none");
  for (const key of ["holdNs", "outsideNs", "fileNs"] as const) {
    within(0.1, found[key].ns, HOST[key], key);
    expect(found[key].high - found[key].low).toBeLessThan(0.05);
  }
  for (const point of found.points) within(0.05, point.fittedNs, point.measuredNs, "point");
  expect(found.predictionErrorPercent.max).toBeLessThan(0.1);
});

it("all times a thousand times as long: all results too", () => {
  const short = measure(HOST, SHORT, 5);
  const long = short.map((point) => ({
    ...point,
    delayNs: point.delayNs * 1000,
    nsPerPage: point.nsPerPage.map((ns) => ns * 1000),
  }));
  const [a, b] = [short, long].map((free) => calibration(HOST, SHORT, 5, { free }));
  for (const key of ["holdNs", "outsideNs", "fileNs"] as const) {
    for (const end of ["ns", "low", "high"] as const) {
      within(0.01, b![key][end], 1000 * a![key][end], `${key} ${end}`);
    }
  }
  within(0.01, b!.kneeProcesses.value, a!.kneeProcesses.value, "knee");
});

it("a left-out prediction knows nothing of what was measured there", () => {
  const free = measure(HOST, SHORT, 6);
  const isApart = (point: { processes: number; delayNs: number }) =>
    point.processes === 2 && point.delayNs === 1200;
  const slower = free.map((point) =>
    isApart(point) ? { ...point, nsPerPage: point.nsPerPage.map((ns) => ns * 1.02) } : point,
  );
  const leftOut = (of: Calibration) => of.points.filter(isApart).map((point) => point.leftOutNs);
  const [a, b] = [free, slower].map((points) => calibration(HOST, SHORT, 6, { free: points }));
  expect(b!.spread).toBe(a!.spread);
  expect(b!.holdNs.ns).not.toBe(a!.holdNs.ns);
  expect(leftOut(b!)).toEqual(leftOut(a!));
});

describe("what the points do not tell is weakly identified", () => {
  it("a lock that two processes hardly meet at", () => {
    const host = { ...HOST, holdNs: 60, outsideNs: 4000 };
    expect(calibration(host, SHORT, 7).holdNs.identified).toBe("weakly");
  });

  it("without noise too, where no interval shows it: one process in step with the other", () => {
    const host = { ...HOST, holdNs: 60, outsideNs: 4000, law: "none", noise: 0 } as const;
    expect(calibration(host, SHORT, 8).holdNs.identified).toBe("weakly");
  });

  it("files of one size do not tell a file's time from its pages'", () => {
    const { fileNs } = calibration(HOST, { ...SHORT, pagesPerFile: [4] }, 9);
    expect(fileNs.identified).toBe("weakly");
  });
});

describe("one page alone", () => {
  const of = (onePage: CalibrationInput["onePage"]) => calibration(HOST, SHORT, 10, { onePage });

  it("a flush is what secret memory adds to taking a page, less what it adds to giving one back", () => {
    const { flushNs, faultNs } = of({
      secretFillNs: [5010, 5000, 4990],
      plainFillNs: [890, 900, 910],
      secretFreeNs: [1000, 1000, 1000],
      plainFreeNs: [200, 200, 200],
    });
    expect(flushNs).toMatchObject({ ns: 3300, identified: "well" });
    expect(flushNs.low).toBeGreaterThanOrEqual(3280);
    expect(flushNs.high).toBeLessThanOrEqual(3320);
    expect(faultNs).toMatchObject({ ns: 900, identified: "well" });
  });

  it("a flush that is not seen to take time is 0, weakly", () => {
    const { flushNs } = of({ ...ONE_PAGE, secretFillNs: [1700] });
    expect(flushNs).toEqual({ ns: 0, low: 0, high: 0, identified: "weakly" });
  });
});

it("the same seed, the same calibration; progress rises to 1", () => {
  const shares: number[] = [];
  const free = measure(HOST, SHORT, 11);
  const input = { cpus: 2, free, onePage: ONE_PAGE, seed: 11, bootstraps: 50 };
  const first = calibrate(input, (share) => shares.push(share));
  expect(calibrate(input)).toEqual(first);
  expect(shares).toEqual(shares.toSorted((a, b) => a - b));
  expect(shares.at(-1)).toBe(1);
});

it("one process alone is refused: nothing would tell the lock from other work", () => {
  expect(() => calibration(HOST, { ...SHORT, processes: [1] }, 12)).toThrow(/bug: a calibration/);
});
