import { expect, it } from "vitest";
import { type Host, measure, type Sweep } from "../../../test/sim/measured-host.ts";
import { randomFrom } from "../random.ts";
import { medianOfResample } from "../stats/bootstrap.ts";
import { quantileSorted } from "../stats/distribution.ts";
import { bestOf, fitsOf } from "./calibration-fit.ts";
import { linearFits, resampledFits } from "./calibration-interval.ts";
import { FreeModel } from "./calibration-model.ts";

const HOST: Host = { holdNs: 520, outsideNs: 300, fileNs: 800, law: "exponential", noise: 0.03 };
const SWEEP: Sweep = {
  processes: [1, 2],
  pagesPerFile: [2, 16],
  delaysNs: [0, 1200],
  pages: 256,
  repetitions: 9,
};
const TIMES = ["holdNs", "outsideNs", "fileNs"] as const;

function measured(seed: number) {
  return measure(HOST, SWEEP, seed).map((point) => {
    const sorted = Float64Array.from(point.nsPerPage).sort();
    return { ...point, sorted, measuredNs: quantileSorted(sorted, 0.5) };
  });
}

function quantiles(values: readonly number[], ...at: readonly number[]): number[] {
  const sorted = Float64Array.from(values).sort();
  return at.map((q) => quantileSorted(sorted, q));
}

it("intervals cover the truth: each time in at least 16 of 20 hosts", () => {
  // A 95 % interval does so with a probability of 99.7 % (binomial).
  const covered = { holdNs: 0, outsideNs: 0, fileNs: 0 };
  for (let seed = 300; seed < 320; seed += 1) {
    const points = measured(seed);
    const fits = linearFits(points, new FreeModel(seed), () => {});
    const repetitions = points.map((point) => point.nsPerPage);
    const resampled = resampledFits(fits, repetitions, 200, randomFrom(seed));
    for (const key of TIMES) {
      const drawn = resampled.map((fit) => fit[key]);
      const [low, high] = quantiles(drawn, 0.025, 0.975);
      if (low! <= HOST[key] && HOST[key] <= high!) covered[key] += 1;
    }
  }
  for (const key of TIMES) expect(covered[key], key).toBeGreaterThanOrEqual(16);
});

it("one linear step stands for a whole fit: it differs by less than a third of the scatter", () => {
  const points = measured(1);
  const model = new FreeModel(1);
  const repetitions = points.map((point) => point.nsPerPage);
  const count = 16;
  const linear = resampledFits(
    linearFits(points, model, () => {}),
    repetitions,
    count,
    randomFrom(1),
  );
  const random = randomFrom(1);
  const whole = linear.map(() => {
    const resampled = points.map((point) => ({
      ...point,
      measuredNs: medianOfResample(point.sorted, random),
    }));
    random.u32(); // A linear step draws the fit that it starts from.
    const found = (["none", "exponential"] as const).flatMap((s) => fitsOf(resampled, model, s));
    return bestOf(found).parameters;
  });
  for (const key of TIMES) {
    const [low, high] = quantiles(
      whole.map((fit) => fit[key]),
      0.25,
      0.75,
    );
    const differences = whole.map((fit, i) => Math.abs(fit[key] - linear[i]![key]));
    expect(quantiles(differences, 0.5)[0], key).toBeLessThan((high! - low!) / 3);
  }
});
