import type { InvestigateResult } from "../analyze/investigate.ts";
import type { ContentionResult, PressureResult, TraceSummary } from "../analyze/result.ts";
import { assertNever } from "../assert.ts";
import type { SpinlockVisibility } from "../facts/spinlock-visibility.ts";
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
  const { pressure, spinlockVisibility } = result;
  if (pressure === undefined) return missing;
  const load = [...missing, ...superlinearCaveats(pressure)];
  if (pressure.contention === undefined) return load;
  return [
    ...load,
    ...visibilityCaveats(spinlockVisibility ?? "unknown"),
    ...contentionCaveats(pressure.contention),
    ...priceCaveats(pressure),
  ];
}

/** More than N times the work of one by N: the one was held up by something else. */
function superlinearCaveats({ scaling }: PressureResult): readonly Prose[] {
  return scaling
    .filter(({ processes, ratio }) => ratio.low > processes)
    .map(
      ({ phase, processes }) =>
        prose`${phase}: ${processes} processes got more than ${processes} times as much as one. One alone is then slowed by something else, such as idle CPUs that must wake up for each TLB flush: do not read it as a gain.`,
    );
}

/** What to doubt in any table of lock waits. */
export function contentionCaveats(contention: ContentionResult): readonly Prose[] {
  return [
    ...simulatedCaveats(contention),
    ...lossCaveats(contention),
    ...nameCaveats(contention),
    ...observerCaveats(contention),
  ];
}

/**
 * What the tracepoints cannot see of spinning waiters on this host; nothing where they see all.
 * Source: kernel/locking/qspinlock.c, v6.12: the first waiter spins on the pending bit, untraced.
 */
export function visibilityCaveats(visibility: SpinlockVisibility): readonly Prose[] {
  switch (visibility) {
    case "all":
      return [];
    case "misses-first-waiter":
      return [
        prose`On this host the first waiter for a spinlock spins unseen; only those behind it are traced. Waits are lower bounds, and two CPUs alone show none.`,
      ];
    case "none":
      return [
        prose`In this guest waiters for spinlocks spin unseen, because it has no paravirtual spinlocks: only waits for mutexes and semaphores are traced.`,
      ];
    case "unknown":
      return [
        prose`Whether the tracepoints see every waiter for a spinlock could not be found out: take waits as lower bounds.`,
      ];
    default:
      return assertNever(visibility);
  }
}

/** True when nothing of a trace was measured. */
export function isSimulated({ source }: TraceSummary): boolean {
  return source === "sim";
}

function simulatedCaveats({ trace }: ContentionResult): readonly Prose[] {
  if (!isSimulated(trace)) return [];
  return [
    prose`This is a simulated storm: nothing was measured. Processes are its VMs; their numbers, and the addresses of locks, are the simulator's. ${code("sev_cmd_mutex")} is the queue of the PSP.`,
  ];
}

function lossCaveats({ trace }: ContentionResult): readonly Prose[] {
  const rejected = trace.rejects.reduce((sum, reject) => sum + reject.count, 0);
  return [
    ...(trace.lost > 0 ? [lossCaveat(trace)] : []),
    ...(rejected > 0
      ? [
          prose`${formatCount(rejected)} events could not be paired or read and are left out; the reasons are counted below.`,
        ]
      : []),
  ];
}

function lossCaveat(trace: TraceSummary): Prose {
  const lost = formatCount(trace.lost);
  const kept = formatCount(trace.events);
  if (isSimulated(trace)) {
    return prose`The recording ends when it is full, after ${kept} waits: ${lost} later ones are left out.`;
  }
  return prose`${lost} lock events were lost beside ${kept} kept: waits are undercounted.`;
}

function nameCaveats({ rows }: ContentionResult): readonly Prose[] {
  const guessed = new Set(
    rows.filter(({ lock }) => lock.evidence === "caller").map(({ lock }) => lock.name),
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

function observerCaveats({ rows, totals }: ContentionResult): readonly Prose[] {
  const observerNs = rows.reduce((sum, row) => sum + row.observerNsTotal, 0);
  const { waitNsTotal } = totals;
  if (observerNs === 0 || observerNs < waitNsTotal * OBSERVER_FROM) return [];
  return [
    prose`Up to ${formatNs(observerNs)} of the ${formatNs(waitNsTotal)} waited in the table of all waits may be the recorder's own doing: it walks the call stack of each waiter.`,
  ];
}

function priceCaveats({ recordedThroughput = [] }: PressureResult): readonly Prose[] {
  const parts = recordedThroughput
    .filter(({ ratio }) => ratio.high < 1)
    .map(
      ({ phase, processes, ratio }) => `${ratioWithInterval(ratio)} for ${phase} at ${processes}`,
    );
  if (parts.length === 0) return [];
  return [
    prose`Recording has a price: recorded rounds got, of the throughput of unrecorded ones, ${parts.join(", ")}. The curve is drawn from unrecorded rounds.`,
  ];
}
