// What the processes of the load waited for, phase by phase: recorded waits laid over the rounds.
import type { Trace } from "../event/schema.ts";
import { topCallers } from "./callers.ts";
import { nameLocksBy } from "./lock-names.ts";
import { phaseSpan, type RoundResult } from "./pressure.ts";
import type { PhaseLockShare, PressurePhaseName } from "./result.ts";

const PHASES: readonly PressurePhaseName[] = ["fill", "free", "control"];

/** A worker's time in one phase of one round, on the trace's clock. */
interface Stay {
  readonly fromNs: number;
  readonly toNs: number;
  readonly phase: PressurePhaseName;
  readonly processes: number;
}

/** Rounds of the load and the waits recorded while they ran, on CLOCK_MONOTONIC. */
export interface RecordedRounds {
  readonly trace: Trace;
  readonly rounds: readonly RoundResult[];
}

/**
 * Wait of the load's own processes by phase, number of processes and lock. Waits of other
 * processes, and those outside the phases, do not count; one that outlasts its phase counts until
 * the phase's end.
 *
 * Walking a call stack can take longer than the wait it explains, so times and names come from two
 * recordings of the same load.
 * @param timed  recorded without call stacks: all numbers are from here
 * @param witness  recorded with call stacks: names of locks and callers are from here
 * @returns sorted by phase, processes, and wait descending
 */
export function lockShares(timed: RecordedRounds, witness: RecordedRounds): PhaseLockShare[] {
  const timeNs = timeByPhase(timed);
  const callerOf = topCallers(witness.trace);
  const callers = new Map(groupWaits(witness).map((group) => [groupKey(group), callerOf(group)]));
  const names = nameLocksBy(witness.trace, timed.trace);
  return groupWaits(timed)
    .sort(
      (a, b) =>
        PHASES.indexOf(a.stay.phase) - PHASES.indexOf(b.stay.phase) ||
        a.stay.processes - b.stay.processes ||
        b.waitNs - a.waitNs,
    )
    .map((group) => ({
      phase: group.stay.phase,
      processes: group.stay.processes,
      lock: names[group.lock]!,
      ...callers.get(groupKey(group)),
      waits: group.waits,
      waitNsTotal: group.waitNs,
      shareOfTime: group.waitNs / timeNs.get(phaseKey(group.stay))!,
    }));
}

/** Waits for one lock in one phase at one number of processes. */
interface Group {
  readonly stay: Stay;
  /** Index into the trace's locks. */
  readonly lock: number;
  readonly address: bigint;
  waits: number;
  waitNs: number;
  /** Waits by stack, -1 for those without. */
  readonly stacks: Map<number, number>;
}

function groupWaits({ trace, rounds }: RecordedRounds): Group[] {
  const stays = staysByProcess(trace, rounds);
  const { lockWait } = trace.tables;
  const groups = new Map<string, Group>();
  for (let i = 0; i < lockWait.length; i += 1) {
    const pid = trace.processes[lockWait.process[i]!]?.pid ?? -1;
    const t = lockWait.t[i]!;
    const stay = stayAt(stays.get(pid), t);
    if (stay === undefined) continue;
    const lock = lockWait.lock[i]!;
    const address = trace.locks.addresses[lock]!;
    const key = groupKey({ stay, address });
    const group = groups.get(key) ?? {
      stay,
      lock,
      address,
      waits: 0,
      waitNs: 0,
      stacks: new Map<number, number>(),
    };
    groups.set(key, group);
    group.waits += 1;
    group.waitNs += Math.min(lockWait.waitNs[i]!, stay.toNs - t);
    const stack = lockWait.stack[i]!;
    group.stacks.set(stack, (group.stacks.get(stack) ?? 0) + 1);
  }
  return [...groups.values()];
}

function groupKey({ stay, address }: Pick<Group, "stay" | "address">): string {
  return `${phaseKey(stay)} ${address}`;
}

function staysByProcess(trace: Trace, rounds: readonly RoundResult[]): Map<number, Stay[]> {
  const origin = trace.meta.origin.ns;
  const stays = new Map<number, Stay[]>();
  for (const round of rounds) {
    for (const worker of round.workers) {
      for (const phase of PHASES) {
        const span = phaseSpan(round, worker, phase);
        if (span === undefined) continue;
        const ofWorker = stays.get(worker.pid) ?? [];
        stays.set(worker.pid, ofWorker);
        ofWorker.push({
          fromNs: Number(span.startNs - origin),
          toNs: Number(span.endNs - origin),
          phase,
          processes: round.processes,
        });
      }
    }
  }
  for (const ofWorker of stays.values()) ofWorker.sort((a, b) => a.fromNs - b.fromNs);
  return stays;
}

function timeByPhase({ trace, rounds }: RecordedRounds): Map<string, number> {
  const timeNs = new Map<string, number>();
  for (const stay of [...staysByProcess(trace, rounds).values()].flat()) {
    const key = phaseKey(stay);
    timeNs.set(key, (timeNs.get(key) ?? 0) + stay.toNs - stay.fromNs);
  }
  return timeNs;
}

function phaseKey({ phase, processes }: Stay): string {
  return `${phase} ${processes}`;
}

/** The stay that holds a moment; stays of one process do not overlap. */
function stayAt(stays: readonly Stay[] | undefined, t: number): Stay | undefined {
  if (stays === undefined) return undefined;
  let low = 0;
  let high = stays.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (stays[middle]!.fromNs <= t) low = middle + 1;
    else high = middle;
  }
  const stay = stays[low - 1];
  return stay !== undefined && t < stay.toNs ? stay : undefined;
}
