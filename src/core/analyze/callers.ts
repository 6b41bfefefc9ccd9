// Who waits: the first function of a call stack that is not itself part of the locking code.
import type { Trace } from "../event/schema.ts";

/**
 * Functions that carry out locking, or the tracing of it, for whoever called them.
 * Names, not address ranges, so that recordings can be read without the kernel they came from.
 * Source: kernel/locking/, lib/lockref.c, include/linux/{spinlock,rwsem,mutex}.h, v6.12.
 */
const LOCKING = new RegExp(
  `^(${[
    "trace_event_raw_event_.*|__traceiter_.*|perf_trace_.*|__bpf_trace_.*|trace_call_bpf.*",
    "(__|native_|pv_|__pv_)*queued_(spin|read|write)_lock.*|.*queued_spin_lock_slowpath",
    "__raw_callee_save_.*|_?do_raw_.*_lock.*",
    "_?_?_?raw_(spin|read|write)_(lock|trylock).*|_raw_(spin|read|write)_.*|raw_spin_rq_lock.*",
    "(ww_)?mutex_lock.*|__mutex_lock.*|mutex_spin.*|mutex_optimistic.*",
    "(__)?down(_(read|write|killable|interruptible|timeout|trylock)\\w*)?|rwsem_.*|__down_.*|___down_.*",
    "percpu_(down|rwsem).*|__percpu_down.*|__percpu_rwsem.*|cpus_read_lock",
    "rt_(spin|mutex|read|write)_.*|rtlock_.*|__rt_mutex.*|rt_mutex_.*",
    "lockref_get.*|_atomic_dec_and_(raw_)?lock.*|_raw_.*bit_spin.*",
  ].join("|")})(\\.(constprop|isra|part|cold)\\b.*)?$`,
);

/**
 * Functions that take a lock as a part of what their caller asked for, and say little themselves:
 * for cpa_lock one wants to read set_direct_map_invalid_noflush, not __change_page_attr_set_clr.
 * Source: arch/x86/mm/pat/set_memory.c, mm/memcontrol.c, mm/swap.c, kernel/sched/core.c, v6.12.
 */
const MACHINERY =
  /^((__)?change_page_attr(_set_clr)?|__?set_(pages_n?p|memory_n?p)|(__)?(should_)?split_large_page|folio_lruvec_lock\w*|folio_batch_move_lru|lock_timer_base|lock_hrtimer_base|task_rq_lock|__task_rq_lock)(\..*)?$/;

/** For each stack, the string number of the function that takes the lock; -1 when there is none. */
export function takerOfEachStack(trace: Trace): Int32Array {
  return firstOfEachStack(trace, (name) => !LOCKING.test(name));
}

/** For each stack, the string number of the function that needed the lock; -1 when there is none. */
export function callerOfEachStack(trace: Trace): Int32Array {
  return firstOfEachStack(trace, (name) => !LOCKING.test(name) && !MACHINERY.test(name));
}

/** The most frequent caller among some waits, and its part of them; nothing without stacks. */
export interface TopCaller {
  readonly caller?: string;
  readonly callerShare?: number;
}

/** @returns a function that finds the top caller of waits counted by stack, -1 for those without */
export function topCallers(
  trace: Trace,
): (group: { stacks: ReadonlyMap<number, number>; waits: number }) => TopCaller {
  const callerOf = callerOfEachStack(trace);
  return ({ stacks, waits }) => {
    const counts = new Map<number, number>();
    for (const [stack, count] of stacks) {
      const caller = stack === -1 ? -1 : callerOf[stack]!;
      if (caller !== -1) counts.set(caller, (counts.get(caller) ?? 0) + count);
    }
    const top = [...counts].sort((a, b) => b[1] - a[1])[0];
    if (top === undefined) return {};
    return { caller: trace.strings[top[0]]!, callerShare: top[1] / waits };
  };
}

function firstOfEachStack(
  { strings, stacks }: Trace,
  counts: (name: string) => boolean,
): Int32Array {
  const isSkipped = strings.map((name) => !counts(name));
  const callers = new Int32Array(Math.max(0, stacks.offsets.length - 1)).fill(-1);
  for (let stack = 0; stack < callers.length; stack += 1) {
    for (let i = stacks.offsets[stack]!; i < stacks.offsets[stack + 1]!; i += 1) {
      if (isSkipped[stacks.frames[i]!]) continue;
      callers[stack] = stacks.frames[i]!;
      break;
    }
  }
  return callers;
}
