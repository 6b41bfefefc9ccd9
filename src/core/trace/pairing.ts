// Hot path: two calls a wait. Typed arrays and numbers only.
import type { EventTable } from "../event/schema.ts";
import { LOCK_FLAG } from "../event/schema.ts";

/** Why an event could not become part of a wait. */
export type PairingReject =
  | "end without a begin"
  | "begin whose end was not recorded"
  | "begin again without an end"
  | "thread number out of range";

/** The largest thread number Linux gives out. Source: PID_MAX_LIMIT, include/linux/threads.h. */
const TID_MAX = 4 * 1024 * 1024;

/** Makes waits of begin and end events that arrive in the order of time. */
export interface Pairing {
  begin(
    t: number,
    cpu: number,
    tid: number,
    lock: number,
    stack: number,
    flags: number,
    observerNs: number,
  ): void;
  end(t: number, cpu: number, tid: number, lock: number): void;
  /**
   * Closes the books: a wait that is still open has no end and becomes a reject.
   * @returns waits in the order they began; `process` is -1 throughout
   */
  finish(): { waits: EventTable<"lockWait">; rejects: ReadonlyMap<PairingReject, number> };
}

/**
 * Pairs by thread and lock, since waits nest: an interrupt may wait while its thread waits.
 *
 * A mutex may begin twice for one wait, once to spin and once to sleep
 * (kernel/locking/mutex.c, v6.12, __mutex_lock_common): the first counts. Thread 0 is the idle
 * thread of every CPU, told apart by CPU.
 * @param beginCount  how many begins may come, at most
 */
export function pairing(beginCount: number): Pairing {
  const t = new Float64Array(beginCount);
  const waitNs = new Float64Array(beginCount).fill(-1);
  const observerNs = new Float64Array(beginCount);
  const cpu = new Int32Array(beginCount);
  const tid = new Int32Array(beginCount);
  const lock = new Int32Array(beginCount);
  const stack = new Int32Array(beginCount);
  const flags = new Uint32Array(beginCount);
  // The open waits of a thread form a list: its newest row, and from each row the one before it.
  const older = new Int32Array(beginCount);
  let newestOf = new Int32Array(1 << 16).fill(-1);
  const rejects = new Map<PairingReject, number>();
  let rows = 0;

  function begin(
    atNs: number,
    onCpu: number,
    byTid: number,
    ofLock: number,
    fromStack: number,
    withFlags: number,
    observedForNs: number,
  ): void {
    const key = keyOf(byTid, onCpu);
    if (key < 0) return;
    const open = openWait(key, ofLock);
    if (open !== -1) {
      if ((flags[open]! & withFlags & LOCK_FLAG.mutex) !== 0) {
        observerNs[open]! += observedForNs;
        return;
      }
      reject("begin again without an end");
      close(key, open);
    }
    const row = rows;
    rows += 1;
    t[row] = atNs;
    cpu[row] = onCpu;
    tid[row] = byTid;
    lock[row] = ofLock;
    stack[row] = fromStack;
    flags[row] = withFlags;
    observerNs[row] = observedForNs;
    older[row] = newestOf[key]!;
    newestOf[key] = row;
  }

  function end(atNs: number, onCpu: number, byTid: number, ofLock: number): void {
    const key = keyOf(byTid, onCpu);
    if (key < 0) return;
    const open = openWait(key, ofLock);
    if (open === -1) {
      reject("end without a begin");
      return;
    }
    waitNs[open] = Math.max(0, atNs - t[open]!);
    observerNs[open] = Math.min(observerNs[open]!, waitNs[open]!);
    close(key, open);
  }

  function openWait(key: number, ofLock: number): number {
    let row = newestOf[key]!;
    while (row !== -1 && lock[row] !== ofLock) row = older[row]!;
    return row;
  }

  /** Takes a row out of its thread's list; it is nearly always the newest. */
  function close(key: number, row: number): void {
    if (newestOf[key] === row) {
      newestOf[key] = older[row]!;
      return;
    }
    let newer = newestOf[key]!;
    while (older[newer] !== row) newer = older[newer]!;
    older[newer] = older[row]!;
  }

  /** Threads above, the idle threads of the CPUs below `TID_MAX`. */
  function keyOf(byTid: number, onCpu: number): number {
    if (byTid < 0 || byTid > TID_MAX) {
      reject("thread number out of range");
      return -1;
    }
    const key = byTid === 0 ? onCpu * 2 + 1 : byTid * 2;
    if (key >= newestOf.length) {
      const wider = new Int32Array(2 ** Math.ceil(Math.log2(key + 1))).fill(-1);
      wider.set(newestOf);
      newestOf = wider;
    }
    return key;
  }

  function reject(why: PairingReject): void {
    rejects.set(why, (rejects.get(why) ?? 0) + 1);
  }

  function finish() {
    let length = 0;
    for (let row = 0; row < rows; row += 1) if (waitNs[row]! >= 0) length += 1;
    const kept = new Uint32Array(length);
    for (let row = 0, i = 0; row < rows; row += 1) if (waitNs[row]! >= 0) kept[i++] = row;
    const again = rejects.get("begin again without an end") ?? 0;
    const open = rows - length - again;
    if (open > 0) rejects.set("begin whose end was not recorded", open);
    const waits: EventTable<"lockWait"> = {
      length,
      t: new Float64Array(length).map((_, i) => t[kept[i]!]!),
      waitNs: new Float64Array(length).map((_, i) => waitNs[kept[i]!]!),
      observerNs: new Float64Array(length).map((_, i) => observerNs[kept[i]!]!),
      cpu: new Int32Array(length).map((_, i) => cpu[kept[i]!]!),
      tid: new Int32Array(length).map((_, i) => tid[kept[i]!]!),
      process: new Int32Array(length).fill(-1),
      lock: new Int32Array(length).map((_, i) => lock[kept[i]!]!),
      stack: new Int32Array(length).map((_, i) => stack[kept[i]!]!),
      flags: new Uint32Array(length).map((_, i) => flags[kept[i]!]!),
    };
    return { waits, rejects };
  }

  return { begin, end, finish };
}
