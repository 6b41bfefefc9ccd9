/** A planned number, with how far it may be off. */
export interface Planned {
  readonly value: number;
  /** Over the replications, and over the ranges of what boots cost. */
  readonly low: number;
  readonly high: number;
}

/** The value, with the smallest and the largest of all that it might be as well. */
export function planned(value: number, others: readonly number[]): Planned {
  return { value, low: Math.min(value, ...others), high: Math.max(value, ...others) };
}

/** @param values  at least one */
export function meanOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
