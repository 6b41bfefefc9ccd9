import type { Trace } from "../event/schema.ts";
import { nameLocksBy } from "./lock-names.ts";
import type { WaitLane, WaitTimeline } from "./result.ts";

/** A piece of a trace to draw. */
export interface TimelineWindow {
  readonly fromNs: number;
  readonly toNs: number;
  /** Waits drawn at most; the longest are kept. */
  readonly waitsMax: number;
  /** Another recording of the same load, which knows the locks' names. */
  readonly witness?: Trace;
}

/** Who waited where and when, one lane a CPU, in a window of the trace's clock. */
export function waitTimeline(
  trace: Trace,
  { fromNs, toNs, waitsMax, witness = trace }: TimelineWindow,
): WaitTimeline {
  const { lockWait } = trace.tables;
  const inside: number[] = [];
  for (let i = 0; i < lockWait.length; i += 1) {
    const t = lockWait.t[i]!;
    if (t < toNs && t + lockWait.waitNs[i]! > fromNs) inside.push(i);
  }
  const longest = [...inside].sort((a, b) => lockWait.waitNs[b]! - lockWait.waitNs[a]!);
  const drawn = new Set(longest.slice(0, waitsMax));

  const names = nameLocksBy(witness, trace);
  const totals = new Map<number, number>();
  for (const i of drawn) {
    totals.set(lockWait.lock[i]!, (totals.get(lockWait.lock[i]!) ?? 0) + lockWait.waitNs[i]!);
  }
  const order = [...totals.keys()].sort((a, b) => totals.get(b)! - totals.get(a)!);
  const placeOf = new Map(order.map((lock, place) => [lock, place]));

  const lanes = Array.from({ length: trace.meta.cpuCount }, (_, cpu) => ({
    cpu,
    waits: [] as WaitLane["waits"][number][],
  }));
  for (const i of inside) {
    if (!drawn.has(i)) continue;
    lanes[lockWait.cpu[i]!]?.waits.push({
      tNs: Math.max(0, lockWait.t[i]! - fromNs),
      waitNs:
        Math.min(toNs, lockWait.t[i]! + lockWait.waitNs[i]!) - Math.max(fromNs, lockWait.t[i]!),
      lock: placeOf.get(lockWait.lock[i]!)!,
    });
  }
  return {
    spanNs: toNs - fromNs,
    lanes,
    locks: order.map((lock) => names[lock]!),
    leftOut: inside.length - drawn.size,
  };
}

/**
 * Where most is to be seen: the window of a given length in which the most waits begin, starting
 * with one of them. Not the one with the most wait: a single long sleep would fill it.
 */
export function busiestWindow(trace: Trace, lengthNs: number): { fromNs: number; toNs: number } {
  const { t, length } = trace.tables.lockWait;
  let best = 0;
  let most = 0;
  for (let first = 0, next = 0; first < length; first += 1) {
    while (next < length && t[next]! < t[first]! + lengthNs) next += 1;
    if (next - first > most) {
      most = next - first;
      best = first;
    }
  }
  const fromNs = length === 0 ? 0 : t[best]!;
  return { fromNs, toNs: fromNs + lengthNs };
}
