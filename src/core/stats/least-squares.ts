/** How each residual (row) changes with each parameter (column). */
export type Jacobian = readonly (readonly number[])[];

/** A minimum, as far as the search could tell. */
export interface LeastSquares {
  readonly x: readonly number[];
  readonly residuals: readonly number[];
  readonly sumOfSquares: number;
}

/**
 * Minimises a sum of squares by the method of Levenberg and Marquardt, with differences for
 * derivatives: for a handful of parameters, and residuals that are costly and not quite smooth.
 * Source: Nocedal and Wright, "Numerical Optimization", 2nd ed., section 10.3.
 * @param start  the result is a minimum near it, not always the least of all
 * @param step  of the differences: wide enough to look over the roughness
 */
export function leastSquares(
  residualsOf: (x: readonly number[]) => readonly number[],
  start: readonly number[],
  step: number,
): LeastSquares {
  const at = (x: readonly number[]): LeastSquares => {
    const residuals = residualsOf(x);
    return { x, residuals, sumOfSquares: sumOfSquares(residuals) };
  };
  let best = at(start);
  let damping = 1e-3;
  for (let i = 0; i < ITERATIONS_MAX; i += 1) {
    const jacobian = forwardJacobian(residualsOf, best, step);
    const before = best.sumOfSquares;
    while (best.sumOfSquares >= before) {
      const by = gaussNewtonStep(jacobian, best.residuals, damping);
      const longest = Math.max(...by.map(Math.abs));
      // Derivatives are trusted for a step of 1: where x are logarithms, for a factor of e.
      const next = at(best.x.map((value, j) => value - by[j]! / Math.max(1, longest)));
      const better = next.sumOfSquares < before;
      if (better) best = next;
      if (!(longest >= STEP_SHARE_LEAST * step)) return best;
      damping *= better ? 0.1 : 10;
    }
    if (before - best.sumOfSquares < GAIN_LEAST * before) break;
  }
  return best;
}

/** The Jacobian by differences to both sides. */
export function jacobianOf(
  residualsOf: (x: readonly number[]) => readonly number[],
  x: readonly number[],
  step: number,
): Jacobian {
  const columns = x.map((_, j) => {
    const above = residualsOf(moved(x, j, step));
    const below = residualsOf(moved(x, j, -step));
    return above.map((r, i) => (r - below[i]!) / (2 * step));
  });
  return transposed(columns);
}

/**
 * The change of x that takes residuals away as far as a linear model can: (JᵀJ + λD)⁻¹Jᵀr, D the
 * diagonal of JᵀJ. To be subtracted.
 * @param damping  λ; 0 is Gauss's and Newton's own step
 */
export function gaussNewtonStep(
  jacobian: Jacobian,
  residuals: readonly number[],
  damping: number,
): readonly number[] {
  const normal = normalMatrix(jacobian).map((row, j) =>
    row.map((value, k) => (j === k ? value * (1 + damping) + RIDGE : value)),
  );
  const n = normal.length;
  const right = Array.from({ length: n }, (_, j) =>
    jacobian.reduce((sum, row, i) => sum + row[j]! * residuals[i]!, 0),
  );
  return solved(normal, right);
}

/**
 * How far the residuals move, as a root of a sum of squares, for each unit of one parameter when
 * all others follow so as to undo it as far as they can. Near 0: the data do not tell it.
 */
export function sensitivities(jacobian: Jacobian): readonly number[] {
  const normal = normalMatrix(jacobian).map((row, j) =>
    row.map((value, k) => (j === k ? value + RIDGE : value)),
  );
  return normal.map((_, j) => {
    const unit = normal.map((_, k) => (j === k ? 1 : 0));
    return 1 / Math.sqrt(solved(normal, unit)[j]!);
  });
}

/** The search ends when x moves by a small part of the step of differences, or the sum by one of itself. */
const STEP_SHARE_LEAST = 0.02;
const GAIN_LEAST = 1e-3;
const ITERATIONS_MAX = 40;
/** Keeps what no residual depends on where it is. */
const RIDGE = 1e-12;

function forwardJacobian(
  residualsOf: (x: readonly number[]) => readonly number[],
  { x, residuals }: LeastSquares,
  step: number,
): Jacobian {
  const columns = x.map((_, j) =>
    residualsOf(moved(x, j, step)).map((r, i) => (r - residuals[i]!) / step),
  );
  return transposed(columns);
}

function moved(x: readonly number[], j: number, by: number): readonly number[] {
  return x.map((value, k) => (k === j ? value + by : value));
}

function transposed(columns: readonly (readonly number[])[]): Jacobian {
  return columns[0]!.map((_, i) => columns.map((column) => column[i]!));
}

function normalMatrix(jacobian: Jacobian): readonly (readonly number[])[] {
  const n = jacobian[0]!.length;
  return Array.from({ length: n }, (_, j) =>
    Array.from({ length: n }, (_, k) => jacobian.reduce((sum, row) => sum + row[j]! * row[k]!, 0)),
  );
}

/** Solves a positive definite system by Cholesky's factors. */
function solved(matrix: readonly (readonly number[])[], right: readonly number[]): number[] {
  const n = matrix.length;
  const factor = matrix.map(() => new Array<number>(n).fill(0));
  for (let i = 0; i < n; i += 1) {
    for (let j = 0; j <= i; j += 1) {
      let sum = matrix[i]![j]!;
      for (let k = 0; k < j; k += 1) sum -= factor[i]![k]! * factor[j]![k]!;
      factor[i]![j] = i === j ? Math.sqrt(Math.max(sum, RIDGE)) : sum / factor[j]![j]!;
    }
  }
  const x = [...right];
  for (let i = 0; i < n; i += 1) {
    for (let k = 0; k < i; k += 1) x[i]! -= factor[i]![k]! * x[k]!;
    x[i]! /= factor[i]![i]!;
  }
  for (let i = n - 1; i >= 0; i -= 1) {
    for (let k = i + 1; k < n; k += 1) x[i]! -= factor[k]![i]! * x[k]!;
    x[i]! /= factor[i]![i]!;
  }
  return x;
}

function sumOfSquares(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value * value, 0);
}
