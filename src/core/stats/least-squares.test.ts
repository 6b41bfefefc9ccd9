import fc from "fast-check";
import { describe, expect, it, test } from "vitest";
import { gaussNewtonStep, jacobianOf, leastSquares, sensitivities } from "./least-squares.ts";

const number = fc.double({ min: -10, max: 10, noNaN: true });
const positive = fc.double({ min: 0.1, max: 10, noNaN: true });

describe("leastSquares", () => {
  it("finds the line that the normal equations give, for any points", () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(number, number), { minLength: 3, maxLength: 10 }), (noise) => {
        const points = noise.map(([dx, dy], i) => [10 * i + dx / 3, dy] as const);
        const mean = (of: (p: readonly [number, number]) => number) =>
          points.reduce((sum, p) => sum + of(p), 0) / points.length;
        const [mx, my] = [mean(([x]) => x), mean(([, y]) => y)];
        const slope = mean(([x, y]) => (x - mx) * (y - my)) / mean(([x]) => (x - mx) ** 2);
        const residuals = ([a, b]: readonly number[]) =>
          points.map(([x, y]) => a! + b! * (x - mx) - y);
        const { x } = leastSquares(residuals, [0, 0], 0.01);
        expect(x[0]).toBeCloseTo(my, 3);
        expect(x[1]).toBeCloseTo(slope, 3);
      }),
    );
  });

  // NIST Statistical Reference Datasets, Misra1a: y = b1·(1 − exp(−b2·x)), certified values.
  // https://www.itl.nist.gov/div898/strd/nls/data/misra1a.shtml
  it.each([
    [500, 0.0001],
    [250, 0.0005],
  ])("Misra1a of NIST from b1 = %d, b2 = %d, by logarithms: the certified values", (b1, b2) => {
    const y = [
      10.07, 14.73, 17.94, 23.93, 29.61, 35.18, 40.02, 44.82, 50.76, 55.05, 61.01, 66.4, 75.47,
      81.78,
    ];
    const x = [
      77.6, 114.9, 141.1, 190.8, 239.9, 289, 332.8, 378.4, 434.8, 477.3, 536.8, 593.1, 689.1, 760,
    ];
    const residuals = (at: readonly number[]) => {
      const [c1, c2] = at.map(Math.exp);
      return x.map((value, i) => c1! * (1 - Math.exp(-c2! * value)) - y[i]!);
    };
    const found = leastSquares(residuals, [Math.log(b1), Math.log(b2)], 1e-4);
    expect(Math.exp(found.x[0]!) / 238.94212918).toBeCloseTo(1, 4);
    expect(Math.exp(found.x[1]!) / 5.5015643181e-4).toBeCloseTo(1, 4);
    expect(found.sumOfSquares / 0.12455138894).toBeCloseTo(1, 4);
  });

  it("never ends worse than it began, and a parameter that nothing depends on stays", () => {
    fc.assert(
      fc.property(number, number, number, (target, start, idle) => {
        const residuals = ([a]: readonly number[]) => [Math.abs(a! - target) ** 1.5, 0.5];
        const { x, sumOfSquares } = leastSquares(residuals, [start, idle], 0.01);
        expect(sumOfSquares).toBeLessThanOrEqual(Math.abs(start - target) ** 3 + 0.25);
        expect(x[1]).toBe(idle);
      }),
    );
  });
});

test("a Gauss-Newton step of a linear model takes away all that the model can", () => {
  fc.assert(
    fc.property(number, number, (a, b) => {
      const jacobian = [
        [1, 2],
        [3, -1],
        [0.5, 4],
      ];
      const residuals = jacobian.map((row) => row[0]! * a + row[1]! * b);
      const [x, y] = gaussNewtonStep(jacobian, residuals, 0);
      expect(x).toBeCloseTo(a, 6);
      expect(y).toBeCloseTo(b, 6);
    }),
  );
});

test("differences to both sides are exact for squares", () => {
  const residuals = ([a, b]: readonly number[]) => [a! * a! + b!, 3 * b! * b!];
  const jacobian = jacobianOf(residuals, [2, 5], 0.1);
  [
    [4, 1],
    [0, 30],
  ].forEach((row, i) => {
    row.forEach((value, j) => {
      expect(jacobian[i]![j]).toBeCloseTo(value, 9);
    });
  });
});

describe("sensitivities", () => {
  it("are the length of a column that no other follows, and 0 of one that others can undo", () => {
    fc.assert(
      fc.property(positive, positive, (p, q) => {
        const apart = sensitivities([
          [p, 0],
          [0, q],
        ]);
        expect(apart[0]).toBeCloseTo(p, 6);
        expect(apart[1]).toBeCloseTo(q, 6);
        const together = sensitivities([
          [p, 2 * p],
          [q, 2 * q],
        ]);
        for (const value of together) expect(value).toBeLessThan(1e-4);
      }),
    );
  });
});
