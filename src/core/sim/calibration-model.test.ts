import fc from "fast-check";
import { expect, it } from "vitest";
import { FreeModel } from "./calibration-model.ts";
import { deterministicDoneNs, mvaRate } from "./theory.ts";

const ns = (min: number, max: number) => fc.integer({ min, max });

it("a process alone never waits: Z + S + (file + delay) ÷ pages, whatever the spread", () => {
  fc.assert(
    fc.property(
      ns(1, 5000),
      ns(1, 5000),
      ns(0, 5000),
      ns(0, 5000),
      ns(1, 64),
      fc.constantFrom("none" as const, "exponential" as const),
      (holdNs, outsideNs, fileNs, delayNs, pagesPerFile, spread) => {
        const load = { processes: 1, pagesPerFile, filesPerProcess: 8, delayNs };
        const alone = new FreeModel(1).nsPerPage({ holdNs, outsideNs, fileNs, spread }, load);
        expect(alone).toBe(holdNs + outsideNs + (fileNs + delayNs) / pagesPerFile);
      },
    ),
  );
});

it("one file, nothing varies: the closed form of the deterministic FIFO lock", () => {
  fc.assert(
    fc.property(
      ns(50, 2000),
      ns(50, 2000),
      ns(2, 12),
      ns(2, 200),
      (holdNs, outsideNs, processes, pages) => {
        const parameters = { holdNs, outsideNs, fileNs: 0, spread: "none" } as const;
        const load = { processes, pagesPerFile: pages, filesPerProcess: 1, delayNs: 0 };
        const storm = { tasks: processes, pages, holdNs, thinkNs: outsideNs };
        let sum = 0;
        for (let i = 0; i < processes; i += 1) sum += deterministicDoneNs(storm, i);
        const expected = sum / processes / pages;
        const modelled = new FreeModel(1).nsPerPage(parameters, load);
        expect(Math.abs(modelled / expected - 1)).toBeLessThan(1e-4);
      },
    ),
    { numRuns: 30 },
  );
});

it.each([2, 3, 8, 24])("%i processes, exponential: exact mean value analysis within 2 %", (k) => {
  const parameters = { holdNs: 500, outsideNs: 900, fileNs: 0, spread: "exponential" } as const;
  const load = { processes: k, pagesPerFile: 256, filesPerProcess: 1, delayNs: 0 };
  const expected = k / mvaRate({ tasks: k, pages: 256, holdNs: 500, thinkNs: 900 });
  const seeds = [1, 2, 3, 4, 5, 6, 7, 8];
  const modelled = seeds.map((seed) => new FreeModel(seed).nsPerPage(parameters, load));
  const mean = modelled.reduce((a, b) => a + b, 0) / seeds.length;
  expect(Math.abs(mean / expected - 1)).toBeLessThan(0.02);
  // The means of what is drawn are made exact, so that seeds differ little.
  for (const one of modelled) expect(Math.abs(one / mean - 1)).toBeLessThan(0.01);
});

it("all times k times as long: the answer too, to the rounding of a tick", () => {
  const load = { processes: 3, pagesPerFile: 4, filesPerProcess: 64, delayNs: 700 };
  const parameters = { holdNs: 400, outsideNs: 900, fileNs: 650, spread: "exponential" } as const;
  const once = new FreeModel(3).nsPerPage(parameters, load);
  for (const k of [1e-3, 7, 1000]) {
    const { holdNs, outsideNs, fileNs } = parameters;
    const scaled = {
      ...parameters,
      holdNs: k * holdNs,
      outsideNs: k * outsideNs,
      fileNs: k * fileNs,
    };
    const more = new FreeModel(3).nsPerPage(scaled, { ...load, delayNs: k * 700 });
    expect(Math.abs(more / (k * once) - 1)).toBeLessThan(1e-6);
  }
});
