import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Random, randomFrom } from "../random.ts";
import { fitGrowth, type GrowthSample } from "./growth-fit.ts";

const XS = [1, 2, 4, 8, 16];

/** So many samples at each x, scattered by a share of the curve's height. */
function samplesOf(
  curve: (x: number) => number,
  { random = randomFrom(1), noise = 0, each = 4, xs = XS }: Partial<Scatter> = {},
): GrowthSample[] {
  return xs.flatMap((x) =>
    Array.from({ length: each }, () => ({ x, y: curve(x) * (1 + noise * normal(random)) })),
  );
}

interface Scatter {
  readonly random: Random;
  readonly noise: number;
  readonly each: number;
  readonly xs: readonly number[];
}

function normal(random: Random): number {
  const [u, v] = [(random.u32() + 0.5) / 2 ** 32, (random.u32() + 0.5) / 2 ** 32];
  return Math.sqrt(-2 * Math.log(u)) * Math.cos(2 * Math.PI * v);
}

/** N boots of the same work on C CPUs that are shared fairly. */
const sharing = (cpus: number, work: number) => (n: number) => Math.max(1, n / cpus) * work;
const line = (base: number, slope: number) => (x: number) => base + slope * (x - 1);

describe("without scatter the numbers come back", () => {
  test.each([1.5, 2, 3, 4, 7])("the knee of processor sharing is at %d CPUs", (cpus) => {
    const { knee, better } = fitGrowth(samplesOf(sharing(cpus, 840)), 1)!;
    expect(better).toBe("knee");
    expect(knee!.knee.value).toBeCloseTo(cpus, 6);
    expect(knee!.base.value).toBeCloseTo(840, 6);
    expect(knee!.slope.value).toBeCloseTo(840 / cpus, 6);
  });

  test("a line stays a line", () => {
    const fit = fitGrowth(samplesOf(line(900, 420)), 1)!;
    expect(fit.line.slope.value).toBeCloseTo(420, 6);
    expect(fit.line.base.value).toBeCloseTo(900, 6);
    expect(fit.better).toBe("line");
    expect(fit.worst.share).toBeCloseTo(0, 9);
  });
});

describe("with the scatter of real boots (10 %)", () => {
  const RUNS = 60;
  const fitsOf = (curve: (x: number) => number) => {
    const random = randomFrom(20_221);
    return Array.from(
      { length: RUNS },
      (_, run) => fitGrowth(samplesOf(curve, { random, noise: 0.1 }), run)!,
    );
  };
  type Fit = ReturnType<typeof fitsOf>[number];
  const count = (fits: readonly Fit[], holds: (fit: Fit) => boolean) => fits.filter(holds).length;
  const within = (value: number, { low, high }: { low: number; high: number }) =>
    low <= value && value <= high;
  // Of 57 that are due; three standard errors are 5.
  const COVERED_LEAST = 52;

  test("linear data are not given a knee, and the interval holds the slope", () => {
    const fits = fitsOf(line(900, 420));
    expect(count(fits, (fit) => fit.better === "knee")).toBeLessThanOrEqual(6);
    expect(count(fits, (fit) => within(420, fit.line.slope))).toBeGreaterThanOrEqual(COVERED_LEAST);
  });

  test("kneed data are given one, and the intervals hold it and the slope", () => {
    const fits = fitsOf(sharing(4, 840));
    expect(count(fits, (fit) => fit.better === "knee")).toBeGreaterThanOrEqual(56);
    expect(count(fits, (fit) => fit.better === "line")).toBe(0);
    expect(count(fits, ({ knee }) => within(4, knee!.knee))).toBeGreaterThanOrEqual(COVERED_LEAST);
    expect(count(fits, ({ knee }) => within(210, knee!.slope))).toBeGreaterThanOrEqual(
      COVERED_LEAST,
    );
  });

  test("a slight knee in few samples is undecided", () => {
    const curve = (x: number) => 900 + 60 * Math.max(0, x - 2);
    expect(count(fitsOf(curve), (fit) => fit.better === "undecided")).toBeGreaterThan(6);
  });
});

describe("what it does not know it does not say", () => {
  test.each([
    { name: "one number of VMs", xs: [4], each: 9 },
    { name: "two samples", xs: [1, 16], each: 1 },
  ])("$name: nothing", ({ xs, each }) => {
    expect(fitGrowth(samplesOf(line(900, 420), { xs, each }), 1)).toBeUndefined();
  });

  test("two different numbers of VMs: a line, no knee", () => {
    const fit = fitGrowth(samplesOf(line(900, 420), { xs: [1, 16] }), 1)!;
    expect(fit).not.toHaveProperty("knee");
    expect(fit.better).toBe("line");
  });

  test("a curve that is neither shows how far off the fit is, and where", () => {
    const fit = fitGrowth(
      samplesOf((x) => 900 + 4 * x ** 3),
      1,
    )!;
    expect(Math.abs(fit.worst.share)).toBeGreaterThan(0.1);
    expect(XS).toContain(fit.worst.x);
  });
});

test("the order of the samples does not matter", () => {
  fc.assert(
    fc.property(
      fc.array(
        fc.record({ x: fc.constantFrom(...XS), y: fc.double({ min: 1, max: 1e4, noNaN: true }) }),
        { minLength: 4, maxLength: 12 },
      ),
      (samples) => {
        expect(fitGrowth(samples.toReversed(), 3)).toEqual(fitGrowth(samples, 3));
      },
    ),
    { numRuns: 10 },
  );
});

test("the fit of a knee is never worse than any knee on a fine grid", () => {
  // An oracle without the algebra: weighted squares of base and slope by closed form on each knee.
  fc.assert(
    fc.property(
      fc.array(fc.double({ min: 0.5, max: 20, noNaN: true }), { minLength: 5, maxLength: 5 }),
      (ys) => {
        const samples = XS.map((x, i) => ({ x, y: ys[i]! }));
        const { knee } = fitGrowth(samples, 1)!;
        const squares = (at: number, base: number, slope: number) =>
          samples.reduce(
            (sum, { x, y }) => sum + ((y - base - slope * Math.max(0, x - at)) / y) ** 2,
            0,
          );
        const found = squares(knee!.knee.value, knee!.base.value, knee!.slope.value);
        for (let at = 1; at <= 8; at += 0.05) {
          const [base, slope] = normalEquations(samples, at);
          expect(found).toBeLessThanOrEqual(squares(at, base, slope) + 1e-9);
        }
      },
    ),
    { numRuns: 30 },
  );
});

function normalEquations(samples: readonly GrowthSample[], at: number): [number, number] {
  let [a, b, c, d, e] = [0, 0, 0, 0, 0];
  for (const { x, y } of samples) {
    const [w, h] = [1 / y ** 2, Math.max(0, x - at)];
    a += w;
    b += w * h;
    c += w * h * h;
    d += w * y;
    e += w * h * y;
  }
  const slope = (a * e - b * d) / (a * c - b * b);
  return [(d - slope * b) / a, slope];
}
