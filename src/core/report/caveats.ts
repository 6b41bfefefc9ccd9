import type { InvestigateResult } from "../analyze/investigate.ts";
import type { PressureResult } from "../analyze/result.ts";
import { formatCount, formatNs } from "../units.ts";
import { code, type Prose, prose } from "./prose.ts";
import { ratioWithInterval } from "./sentence.ts";

/** What this run could not see, and what to doubt in what it saw. Empty when there is nothing. */
export function caveatsOf(result: InvestigateResult): readonly Prose[] {
  const missing = result.missing.map(({ what, why, remedy }) =>
    remedy === undefined
      ? prose`${what}: ${why}`
      : prose`${what}: ${why}. To allow it: ${code(remedy)}`,
  );
  const { pressure } = result;
  if (pressure === undefined) return missing;
  return [
    ...missing,
    ...lossCaveats(pressure),
    ...nameCaveats(pressure),
    ...observerCaveats(pressure),
    ...priceCaveats(pressure),
  ];
}

function lossCaveats({ contention }: PressureResult): readonly Prose[] {
  if (contention === undefined) return [];
  const { lost, events, rejects } = contention.trace;
  const rejected = rejects.reduce((sum, reject) => sum + reject.count, 0);
  return [
    ...(lost > 0
      ? [
          prose`${formatCount(lost)} lock events were lost beside ${formatCount(events)} kept: waits are undercounted.`,
        ]
      : []),
    ...(rejected > 0
      ? [
          prose`${formatCount(rejected)} events could not be paired or read and are left out; the reasons are counted below.`,
        ]
      : []),
  ];
}

function nameCaveats({ contention, lockShares = [] }: PressureResult): readonly Prose[] {
  const locks = [...(contention?.rows ?? []), ...lockShares].map((row) => row.lock);
  const guessed = new Set(
    locks.filter((lock) => lock.evidence === "caller").map((lock) => lock.name),
  );
  if (guessed.size === 0) return [];
  const names = [...guessed].flatMap((name, index) =>
    index === 0 ? [code(name)] : [", ", code(name)],
  );
  return [
    prose`Named by the functions that wait for them, because this kernel's symbol table does not list locks: ${names}.`,
  ];
}

/** Less than this part of the wait is not worth a reader's time. */
const OBSERVER_FROM = 0.01;

function observerCaveats({ contention }: PressureResult): readonly Prose[] {
  if (contention === undefined) return [];
  const observerNs = contention.rows.reduce((sum, row) => sum + row.observerNsTotal, 0);
  const { waitNsTotal } = contention.totals;
  if (observerNs === 0 || observerNs < waitNsTotal * OBSERVER_FROM) return [];
  return [
    prose`Up to ${formatNs(observerNs)} of the ${formatNs(waitNsTotal)} waited may be the recorder's own doing: it walks call stacks while locks are held.`,
  ];
}

function priceCaveats({ recordedThroughput = [] }: PressureResult): readonly Prose[] {
  if (recordedThroughput.length === 0) return [];
  const parts = recordedThroughput.map(
    ({ phase, processes, ratio }) =>
      `${phase} ${ratioWithInterval(ratio)} with ${processes} processes`,
  );
  return [
    prose`Recording has a price: recorded rounds got, of the throughput of unrecorded ones, ${parts.join(", ")}. The curve is drawn from unrecorded rounds.`,
  ];
}
