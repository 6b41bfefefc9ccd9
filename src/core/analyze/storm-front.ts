/** One way to run a host, as the comparison of many needs it. */
export interface StormChoice {
  readonly safe: boolean;
  /** Median boot times, in the same order of VM counts for all choices. */
  readonly mediansMs: readonly number[];
}

/** Differences below this are none: replications and aggregation scatter by less. */
const TOLERANCE = 0.01;

/**
 * Which choices are safe, and such that no other safe one is faster at some number of VMs and as
 * fast at all others.
 */
export function frontOf(choices: readonly StormChoice[]): boolean[] {
  const safe = choices.filter((choice) => choice.safe);
  return choices.map((own) => own.safe && !safe.some((other) => dominates(other, own)));
}

function dominates(a: StormChoice, b: StormChoice): boolean {
  const faster = (x: StormChoice, y: StormChoice) =>
    x.mediansMs.some((ms, i) => ms < y.mediansMs[i]! * (1 - TOLERANCE));
  return faster(a, b) && !faster(b, a);
}
