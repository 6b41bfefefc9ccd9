// Reads the text of `perf script`, best made with
// `perf script --ns -F comm,pid,tid,cpu,time,event,trace,ip,sym`:
//
//   CPU 0/KVM  2101/2122  [001]  2630.264044123:  lock:contention_begin: 0xffffffff83b53c30 (flags=SPIN)
//   	ffffffff82201ca5 __pv_queued_spin_lock_slowpath+0x1b5 ([kernel.kallsyms])
//   	ffffffff813461d1 __change_page_attr_set_clr+0x91 ([kernel.kallsyms])
//
//   node  5000 [000]   263.105000:   lock:contention_end: 0xffffffff83b53c30 (ret=0)
//
// A name may hold blanks and slashes, so a line is understood from its [cpu] outwards.
import { addressTable } from "../event/address-table.ts";
import { LOCK_FLAG, type ProcessEntry, type Trace } from "../event/schema.ts";
import { stackBuilder } from "../event/stack-builder.ts";
import { stringTable } from "../event/strings.ts";
import { pairing } from "./pairing.ts";
import { processTable } from "./processes.ts";

//             name         pid, if shown  tid     [cpu]           flags, if shown   seconds . fraction : (period)  event: what it says
const EVENT =
  /^\s*(\S.*?)\s+(?:(-?\d+)\/)?(-?\d+)\s+\[(\d{3,5})\]\s+(?:[.\w]{4,6}\s+)?(\d+)\.(\d{6,9}):\s+(?:\d+\s+)?lock:contention_(begin|end):\s+(.*)$/;
//            address                  begin: (flags=SPIN|MUTEX)    end: (ret=0)
const WHAT = /^(?:lock_addr=)?(0x[0-9a-f]{1,16}),? \(?(?:flags=(\w+(?:\|\w+)*|0x0)?|ret=-?\d+)\)?/;
//               address     function, offset            object
const FRAME = /^\s+[0-9a-f]+ (.+?)(?:\+0x[0-9a-f]+)?(?: \(.*\))?$/;

const FLAGS: Record<string, number> = {
  SPIN: LOCK_FLAG.spin,
  READ: LOCK_FLAG.read,
  WRITE: LOCK_FLAG.write,
  RT: LOCK_FLAG.rt,
  PERCPU: LOCK_FLAG.percpu,
  MUTEX: LOCK_FLAG.mutex,
};

interface Event {
  readonly ns: bigint;
  readonly cpu: number;
  readonly tid: number;
  readonly process: number;
  readonly lock: number;
  readonly flags: number;
  readonly isEnd: boolean;
  stack: number;
}

/** Makes a trace of the text of `perf script`. Lines that make no sense are counted, by reason. */
export function readPerfScript(bytes: Uint8Array): Trace {
  const locks = addressTable();
  const strings = stringTable();
  const stacks = stackBuilder();
  const processes = processTable();
  const events: Event[] = [];
  const rejects = new Map<string, number>();
  let frames: number[] = [];
  let current: Event | undefined;

  const closeStack = () => {
    if (current !== undefined && frames.length > 0)
      current.stack = stacks.intern(frames, frames.length);
    current = undefined;
    frames = [];
  };
  for (const line of linesOf(bytes)) {
    if (line === "" || line.startsWith("#")) {
      closeStack();
      continue;
    }
    const frame = current === undefined ? null : FRAME.exec(line);
    if (frame) {
      frames.push(strings.intern(frame[1]!));
      continue;
    }
    closeStack();
    const event = parseEvent(line, locks, processes.intern);
    if (typeof event === "string") {
      rejects.set(event, (rejects.get(event) ?? 0) + 1);
      continue;
    }
    events.push(event);
    current = event;
  }
  closeStack();
  return traceOf(events, rejects, { locks, strings, stacks, processes: processes.list });
}

function parseEvent(
  line: string,
  locks: ReturnType<typeof addressTable>,
  processOf: (pid: number, name: string) => number,
): Event | string {
  const match = EVENT.exec(line);
  if (match === null) return "line that is no lock event";
  const [, name, pid, tid, cpu, seconds, fraction, kind, text] = match as unknown as string[];
  const what = WHAT.exec(text!);
  if (what === null) return "lock event without an address";
  const address = BigInt(what[1]!);
  return {
    ns: BigInt(seconds!) * 1_000_000_000n + BigInt(fraction!.padEnd(9, "0")),
    cpu: Number(cpu),
    tid: Number(tid),
    // Without a process number the thread stands for itself.
    process: processOf(Number(pid ?? tid), name!),
    lock: locks.intern(Number(address >> 32n), Number(address & 0xffffffffn)),
    flags: (what[2] ?? "").split("|").reduce((bits, flag) => bits | (FLAGS[flag] ?? 0), 0),
    isEnd: kind === "end",
    stack: -1,
  };
}

function traceOf(
  events: Event[],
  rejects: Map<string, number>,
  found: {
    locks: ReturnType<typeof addressTable>;
    strings: ReturnType<typeof stringTable>;
    stacks: ReturnType<typeof stackBuilder>;
    processes: readonly ProcessEntry[];
  },
): Trace {
  // perf sorts by time, but text may have been joined or cut.
  events.sort((a, b) => (a.ns < b.ns ? -1 : a.ns > b.ns ? 1 : 0));
  const originNs = events[0]?.ns ?? 0n;
  const lastNs = events.at(-1)?.ns ?? 0n;
  const pairs = pairing(events.length);
  const processOfTid = new Map<number, number>();
  for (const { ns, cpu, tid, process, lock, flags, isEnd, stack } of events) {
    const t = Number(ns - originNs);
    processOfTid.set(tid, process);
    if (isEnd) pairs.end(t, cpu, tid, lock);
    else pairs.begin(t, cpu, tid, lock, stack, flags, 0);
  }
  const { waits, rejects: unpaired } = pairs.finish();
  for (let i = 0; i < waits.length; i += 1)
    waits.process[i] = processOfTid.get(waits.tid[i]!) ?? -1;
  const addresses = found.locks.addresses();
  return {
    meta: {
      source: "perf-script",
      origin: { clock: "perf", ns: originNs },
      // At least 1 with an event in it: what is too short for the clock is not infinitely short.
      spanNs: Math.max(Math.min(events.length, 1), Number(lastNs - originNs)),
      cpuCount: events.reduce((most, { cpu }) => Math.max(most, cpu), -1) + 1,
      sees: ["lockWait"],
      stacks: events.some(({ stack }) => stack !== -1),
      events: events.length,
      lost: 0,
      rejects: [...rejects, ...unpaired].map(([why, count]) => ({ why, count })),
    },
    strings: found.strings.list,
    stacks: found.stacks.build(),
    locks: { addresses, symbols: new Int32Array(addresses.length).fill(-1) },
    processes: found.processes,
    tables: { lockWait: waits },
  };
}

/** Lines without their ends, one at a time: the whole text may be longer than a string can be. */
function* linesOf(bytes: Uint8Array): Generator<string> {
  const decoder = new TextDecoder();
  for (let at = 0; at < bytes.length; ) {
    let end = bytes.indexOf(10, at);
    if (end === -1) end = bytes.length;
    yield decoder.decode(bytes.subarray(at, end));
    at = end + 1;
  }
}
