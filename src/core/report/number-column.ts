import { formatCount } from "../units.ts";

/** A column of numbers that share one unit, so that they can be compared by eye. */
export interface NumberColumn {
  readonly unit: string;
  readonly cells: readonly string[];
}

/** Durations in the smallest unit in which the largest of them has at most four digits. */
export function nsColumn(values: readonly number[]): NumberColumn {
  const largest = Math.max(0, ...values);
  const [unit, size] = NS_UNITS.find(([, ns]) => largest < 10_000 * ns) ?? ["s", 1e9];
  const scaled = values.map((value) => value / size);
  return { unit, cells: fixedCells(scaled, size === 1 ? 0 : decimalsFor(largest / size)) };
}

const NS_UNITS: readonly (readonly [unit: string, ns: number])[] = [
  ["ns", 1],
  ["µs", 1e3],
  ["ms", 1e6],
  ["s", 1e9],
];

/** Shares of one as percentages. */
export function percentColumn(shares: readonly number[]): NumberColumn {
  return {
    unit: "%",
    cells: fixedCells(
      shares.map((share) => share * 100),
      1,
    ),
  };
}

export function countColumn(counts: readonly number[]): readonly string[] {
  return counts.map(formatCount);
}

function decimalsFor(largest: number): number {
  if (largest >= 1000) return 0;
  return largest >= 10 ? 1 : 2;
}

/** The same decimals in every cell; what is not zero is never printed as zero. */
function fixedCells(values: readonly number[], decimals: number): readonly string[] {
  const resolution = 10 ** -decimals;
  return values.map((value) => {
    if (value > 0 && value < resolution / 2) return `<${resolution.toFixed(decimals)}`;
    const [whole, fraction] = value.toFixed(decimals).split(".");
    const grouped = formatCount(Number(whole));
    return fraction === undefined ? grouped : `${grouped}.${fraction}`;
  });
}
