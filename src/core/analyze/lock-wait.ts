import { BootstormError, EXIT } from "../error.ts";
import { LOCK_FLAG, type Trace } from "../event/schema.ts";
import { quantileSorted } from "../stats/distribution.ts";
import { callerOfEachStack, topCallers } from "./callers.ts";
import { addressText, nameLocks, nameLocksBy } from "./lock-names.ts";
import type { ContentionResult, LockName, LockWaitRow, TraceSummary } from "./result.ts";

export interface LockWaitOptions {
  /** What a row stands for, beside its lock. */
  readonly by: "caller" | "process";
  /**
   * Another recording of the same load, with call stacks, for one without: each lock then has one
   * row, with the caller that waited for it most often there.
   */
  readonly witness?: Trace;
  /** Only waits that begin in [fromNs, toNs), on the trace's clock; all when missing. */
  readonly window?: { readonly fromNs: number; readonly toNs: number };
}

/**
 * Wait time by lock and caller (or process), contended acquisitions only.
 * @returns one row a lock and caller, sorted by waitNsTotal descending; none when nothing waited
 * @throws BootstormError NOT_RECORDED when the source cannot see lock waits: absent is not zero
 */
export function lockWaits(trace: Trace, options: LockWaitOptions): ContentionResult {
  if (!trace.meta.sees.includes("lockWait")) {
    throw new BootstormError("NOT_RECORDED", "this recording has no lock waits", {
      why: `its source, ${trace.meta.source}, does not see them`,
      exit: EXIT.input,
    });
  }
  const { fromNs, toNs } = options.window ?? { fromNs: 0, toNs: trace.meta.spanNs };
  const { witness } = options;
  const names = witness === undefined ? nameLocks(trace) : nameLocksBy(witness, trace);
  const groups = groupWaits(trace, names, options);
  const cpuTimeNs = (toNs - fromNs) * trace.meta.cpuCount;
  const rows = groups
    .map((group) => rowOf(group, names, cpuTimeNs))
    .sort((a, b) => b.waitNsTotal - a.waitNsTotal || a.lock.address.localeCompare(b.lock.address));
  return {
    rows,
    totals: {
      waits: rows.reduce((sum, row) => sum + row.waits, 0),
      waitNsTotal: rows.reduce((sum, row) => sum + row.waitNsTotal, 0),
    },
    trace: summaryOf(trace),
  };
}

interface Group {
  readonly caller: string | undefined;
  readonly process: string | undefined;
  readonly kind: LockWaitRow["kind"];
  readonly waitNs: number[];
  observerNs: number;
  /** Total wait of each lock in the group, by lock index. */
  readonly perLock: Map<number, number>;
}

function groupWaits(
  trace: Trace,
  names: readonly LockName[],
  { by, window, witness }: LockWaitOptions,
): Group[] {
  const { lockWait } = trace.tables;
  const callerOf = by === "caller" ? callerLookup(trace, names, witness) : () => undefined;
  const classes = lockClasses(names);
  const groups = new Map<string, Group>();
  for (let i = 0; i < lockWait.length; i += 1) {
    const t = lockWait.t[i]!;
    if (window !== undefined && (t < window.fromNs || t >= window.toNs)) continue;
    const lock = lockWait.lock[i]!;
    const caller = callerOf(i);
    const process = by === "process" ? lockWait.process[i]! : -1;
    const kind = kindOf(lockWait.flags[i]!);
    const key = `${classes[lock]} ${caller} ${process} ${kind}`;
    let group = groups.get(key);
    if (group === undefined) {
      group = {
        caller,
        process: processText(trace, process),
        kind,
        waitNs: [],
        observerNs: 0,
        perLock: new Map(),
      };
      groups.set(key, group);
    }
    const waitNs = lockWait.waitNs[i]!;
    group.waitNs.push(waitNs);
    group.observerNs += lockWait.observerNs[i]!;
    group.perLock.set(lock, (group.perLock.get(lock) ?? 0) + waitNs);
  }
  return [...groups.values()];
}

/** @returns a function from a wait to its caller */
function callerLookup(
  trace: Trace,
  names: readonly LockName[],
  witness: Trace | undefined,
): (wait: number) => string | undefined {
  const { lock, stack } = trace.tables.lockWait;
  if (witness !== undefined) {
    const known = topCallerOfEachLock(witness);
    return (wait) => known.get(names[lock[wait]!]!.address);
  }
  const callers = callerOfEachStack(trace);
  return (wait) => (stack[wait] === -1 ? undefined : trace.strings[callers[stack[wait]!]!]);
}

/** By address. */
function topCallerOfEachLock(witness: Trace): Map<string, string | undefined> {
  const { lock, stack, length } = witness.tables.lockWait;
  const stacksOf = Array.from(witness.locks.addresses, () => new Map<number, number>());
  for (let i = 0; i < length; i += 1) {
    const stacks = stacksOf[lock[i]!]!;
    stacks.set(stack[i]!, (stacks.get(stack[i]!) ?? 0) + 1);
  }
  const callerOf = topCallers(witness);
  return new Map(
    stacksOf.map((stacks, index) => [
      addressText(witness.locks.addresses[index]!),
      callerOf({ stacks, waits: 1 }).caller,
    ]),
  );
}

/**
 * Locks that go into one row: those of one name when the name stands for a kind of lock, such as
 * "page-table lock"; else each by itself.
 */
function lockClasses(names: readonly LockName[]): number[] {
  const first = new Map<string, number>();
  return names.map(({ name }, lock) => {
    if (!first.has(name)) first.set(name, lock);
    return first.get(name)!;
  });
}

function rowOf(
  { caller, process, kind, waitNs, observerNs, perLock }: Group,
  names: readonly LockName[],
  cpuTimeNs: number,
): LockWaitRow {
  const sorted = Float64Array.from(waitNs).sort();
  let waitNsTotal = 0;
  for (const wait of sorted) waitNsTotal += wait;
  const [most] = [...perLock].reduce((a, b) => (b[1] > a[1] ? b : a));
  return {
    lock: names[most]!,
    lockCount: perLock.size,
    ...(caller === undefined ? {} : { caller }),
    ...(process === undefined ? {} : { process }),
    kind,
    waits: sorted.length,
    waitNsTotal,
    waitNsMean: waitNsTotal / sorted.length,
    waitNsP99: quantileSorted(sorted, 0.99),
    waitNsMax: sorted.at(-1)!,
    observerNsTotal: observerNs,
    shareOfCpuTime: waitNsTotal / cpuTimeNs,
  };
}

/** How the waiter waited. @param flags  of a lock wait */
export function kindOf(flags: number): LockWaitRow["kind"] {
  const spins = (flags & LOCK_FLAG.spin) !== 0 && (flags & LOCK_FLAG.mutex) === 0;
  return spins ? "spin" : "sleep";
}

function processText(trace: Trace, process: number): string | undefined {
  const entry = trace.processes[process];
  return entry === undefined ? undefined : `${entry.name} (${entry.pid})`;
}

function summaryOf({ meta }: Trace): TraceSummary {
  const { source, spanNs, cpuCount, events, lost, rejects, sees } = meta;
  return { source, spanNs, cpuCount, events, lost, rejects, sees };
}
