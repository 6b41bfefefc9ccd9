/**
 * Logarithm, exponential and normal quantile from + − × ÷ and square roots alone. Those are rounded
 * correctly (IEEE 754) by every engine; Math.log, Math.exp and ** are "implementation-approximated"
 * (ECMA-262), and a last bit that differs would be another nanosecond, another order of events,
 * another result.
 */

/** Natural logarithm of x > 0; error below 1e-14 relative to 1. */
export function ln(x: number): number {
  let exponent = 0;
  let m = x;
  while (m >= Math.SQRT2) {
    m *= 0.5;
    exponent += 1;
  }
  while (m < Math.SQRT1_2) {
    m *= 2;
    exponent -= 1;
  }
  return exponent * LN2 + lnNearOne(m);
}

/** −ln((u + ½)/2³²) of a uniform 32-bit integer: exponential with mean 1. A hot path. */
export function exponentialOf(u: number): number {
  // Below that the half would reach the bits that choose the table's entry.
  if (u < 65_536) return 32 * LN2 - ln(u + 0.5);
  const zeros = Math.clz32(u);
  // (u + ½)/2³² = m · 2^−zeros, m in ½..1; the ten bits after m's first choose the table's entry.
  const m = (u + 0.5) * POWER[zeros]!;
  const i = ((u << zeros) >>> 21) & 1023;
  const r = (m - CENTRE[i]!) * INVERSE[i]!;
  // |r| < 2^-10: the next term is below 1e-16.
  return zeros * LN2 - LN_CENTRE[i]! - r * (1 - r * (0.5 - r * (1 / 3 - r * (0.25 - r * 0.2))));
}

/** eˣ for |x| < 700. */
export function exp(x: number): number {
  const k = Math.round(x / LN2);
  const r = x - k * LN2;
  let term = 1;
  let sum = 1;
  for (let i = 1; i < 18; i += 1) {
    term *= r / i;
    sum += term;
  }
  for (let i = 0; i < k; i += 1) sum *= 2;
  for (let i = 0; i > k; i -= 1) sum *= 0.5;
  return sum;
}

/**
 * Quantile of the standard normal; absolute error below 2e-9.
 * Source: P. J. Acklam's rational approximation, 2003.
 */
export function normalQuantile(p: number): number {
  if (p > 0.97575) return -normalQuantile(1 - p);
  if (p < 0.02425) {
    const q = Math.sqrt(-2 * ln(p));
    return polynomial(TAIL_ABOVE, q) / (polynomial(TAIL_BELOW, q) * q + 1);
  }
  const q = p - 0.5;
  const r = q * q;
  return (polynomial(MIDDLE_ABOVE, r) * q) / (polynomial(MIDDLE_BELOW, r) * r + 1);
}

const LN2 = Math.LN2;
/** 2^(i − 32), for as many leading zeros as a number of at least 65,536 can have. */
const POWER = Float64Array.from({ length: 16 }, (_, i) => (1 << i) / 2 ** 32);
const CENTRE = Float64Array.from({ length: 1024 }, (_, i) => (1024 + i + 0.5) / 2048);
const INVERSE = CENTRE.map((centre) => 1 / centre);
const LN_CENTRE = CENTRE.map((centre) => ln(centre));

/** 2·artanh((m−1)/(m+1)) for m in ½..2. */
function lnNearOne(m: number): number {
  const s = (m - 1) / (m + 1);
  const z = s * s;
  let sum = 1 / 31;
  for (let k = 29; k > 0; k -= 2) sum = sum * z + 1 / k;
  return 2 * s * sum;
}

function polynomial(coefficients: readonly number[], x: number): number {
  let value = 0;
  for (const c of coefficients) value = value * x + c;
  return value;
}

const MIDDLE_ABOVE = [
  -3.969683028665376e1, 2.209460984245205e2, -2.759285104469687e2, 1.38357751867269e2,
  -3.066479806614716e1, 2.506628277459239,
];
const MIDDLE_BELOW = [
  -5.447609879822406e1, 1.615858368580409e2, -1.556989798598866e2, 6.680131188771972e1,
  -1.328068155288572e1,
];
const TAIL_ABOVE = [
  -7.784894002430293e-3, -3.223964580411365e-1, -2.400758277161838, -2.549732539343734,
  4.374664141464968, 2.938163982698783,
];
const TAIL_BELOW = [
  7.784695709041462e-3, 3.224671290700398e-1, 2.445134137142996, 3.754408661907416,
];
