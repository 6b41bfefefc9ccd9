// The one schema of what happened. A live kernel, a recording and a simulated storm all become the
// same Trace; the same analysis and the same charts read it.
//
// Struct of arrays: 48 bytes a row of `lockWait`, and sums over a column run at memory speed.

export type ColumnType = "ns" | "id" | "bits";

/**
 * Columns of each kind of event.
 * `ns`: integer nanoseconds after the trace's origin, or a duration. `id`: index into another
 * table of the trace, or a number of the system; -1 is absent. `bits`: a set of flags.
 */
export const EVENTS = {
  /** One contended lock acquisition, from the first wait to the lock being held. */
  lockWait: {
    t: "ns",
    waitNs: "ns",
    /** Part of the wait in which the recorder held the waiter up: the true wait is not shorter than
     * waitNs − observerNs, nor longer than waitNs. */
    observerNs: "ns",
    cpu: "id",
    tid: "id",
    process: "id",
    lock: "id",
    stack: "id",
    flags: "bits",
  },
} as const satisfies Record<string, Record<string, ColumnType>>;

export type EventKind = keyof typeof EVENTS;

/** Flags of a lock wait. Source: include/trace/events/lock.h, v6.12, LCB_F_*. */
export const LOCK_FLAG = { spin: 1, read: 2, write: 4, rt: 8, percpu: 16, mutex: 32 } as const;

/** Nanoseconds are doubles: integers are exact for 104 days after the origin. */
export type ColumnArray<C extends ColumnType> = C extends "ns"
  ? Float64Array
  : C extends "id"
    ? Int32Array
    : Uint32Array;

/** All rows of one kind, in the order they began. */
export type EventTable<K extends EventKind> = { readonly length: number } & {
  readonly [Column in keyof (typeof EVENTS)[K]]: (typeof EVENTS)[K][Column] extends ColumnType
    ? ColumnArray<(typeof EVENTS)[K][Column]>
    : never;
};

/** Call stacks without repetition: stack i is `frames[offsets[i]..offsets[i+1]]`, innermost first. */
export interface StackTable {
  readonly offsets: Uint32Array;
  /** Indices into `strings`: names of functions, without offsets. */
  readonly frames: Uint32Array;
}

export interface LockTable {
  /** Exact: as a double, two kernel addresses 64 bytes apart would be one. */
  readonly addresses: BigUint64Array;
  /** Index into `strings` of the kernel's symbol at that address, or -1. */
  readonly symbols: Int32Array;
}

export interface ProcessEntry {
  readonly pid: number;
  readonly name: string;
}

export interface TraceMeta {
  /** What recorded it. */
  readonly source: "tracefs" | "perf-script" | "sim";
  /** The only absolute time: the trace's time 0 on the named clock. */
  readonly origin: { readonly clock: string; readonly ns: bigint };
  /** Length of the observation, which may begin before the first and end after the last event. */
  readonly spanNs: number;
  readonly cpuCount: number;
  /** Kinds of events this source can see at all: absent is not zero. */
  readonly sees: readonly EventKind[];
  /** True when call stacks were recorded. */
  readonly stacks: boolean;
  /** Events read, of any kind, used or rejected. */
  readonly events: number;
  /** Events that the kernel dropped or that we had no room for. */
  readonly lost: number;
  readonly rejects: readonly { readonly why: string; readonly count: number }[];
}

export interface Trace {
  readonly meta: TraceMeta;
  readonly strings: readonly string[];
  readonly stacks: StackTable;
  readonly locks: LockTable;
  readonly processes: readonly ProcessEntry[];
  readonly tables: { readonly [K in EventKind]: EventTable<K> };
}
