import type { ProcessEntry } from "../event/schema.ts";
import { processTable } from "./processes.ts";
import type { TaskEntry } from "./raw-recording.ts";

/** CLONE_THREAD of include/uapi/linux/sched.h: the new task is a thread of its maker's process. */
const CLONE_THREAD = 0x00010000;

/** What the kernel calls the thread that runs when nothing else does. */
const IDLE = "swapper";

/** Who a thread number belonged to at any time of a recording: numbers are used again. */
export interface TaskHistory {
  /** A thread was made. Events come in the order of time. */
  created(t: number, tid: number, by: number, cloneFlags: number, name: string): void;
  /** A thread got another name, by exec or by its own wish. */
  renamed(t: number, tid: number, name: string): void;
  /** @returns index into `processes`, or -1 when nothing is known of the thread */
  processAt(t: number, tid: number): number;
  readonly processes: readonly ProcessEntry[];
}

interface Era {
  readonly fromNs: number;
  readonly pid: number;
  readonly process: number;
}

/** @param tasks  those alive when the recording began */
export function taskHistory(tasks: readonly TaskEntry[]): TaskHistory {
  const eras = new Map<number, Era[]>();
  const processes = processTable();

  // Not in /proc, and the same on all CPUs.
  open(Number.NEGATIVE_INFINITY, 0, 0, IDLE);
  for (const { tid, pid, process } of tasks) open(Number.NEGATIVE_INFINITY, tid, pid, process);

  function open(fromNs: number, tid: number, pid: number, name: string): void {
    const process = processes.intern(pid, name);
    const list = eras.get(tid);
    if (list === undefined) eras.set(tid, [{ fromNs, pid, process }]);
    else list.push({ fromNs, pid, process });
  }

  function created(t: number, tid: number, by: number, cloneFlags: number, name: string): void {
    const maker = eras.get(by)?.at(-1);
    if ((cloneFlags & CLONE_THREAD) === 0 || maker === undefined) open(t, tid, tid, name);
    else open(t, tid, maker.pid, processes.list[maker.process]!.name);
  }

  function renamed(t: number, tid: number, name: string): void {
    const pid = eras.get(tid)?.at(-1)?.pid ?? tid;
    // A thread's own name is not its process's; only the first thread's is.
    if (pid === tid) open(t, tid, pid, name);
  }

  function processAt(t: number, tid: number): number {
    const list = eras.get(tid);
    if (list === undefined) return -1;
    let found = -1;
    for (const era of list) if (era.fromNs <= t) found = era.process;
    return found;
  }

  return { created, renamed, processAt, processes: processes.list };
}
