import { expect, test } from "vitest";
import { readPerfScript } from "./perf-script.ts";

const read = (text: string) => readPerfScript(new TextEncoder().encode(text));

function waitsOf(text: string) {
  const trace = read(text);
  const { lockWait } = trace.tables;
  return Array.from({ length: lockWait.length }, (_, i) => ({
    process: trace.processes[lockWait.process[i]!]!.name,
    pid: trace.processes[lockWait.process[i]!]!.pid,
    tid: lockWait.tid[i],
    cpu: lockWait.cpu[i],
    waitNs: lockWait.waitNs[i],
    flags: lockWait.flags[i],
    lock: trace.locks.addresses[lockWait.lock[i]!],
  }));
}

test("a name with blanks and a slash keeps them (perf 6.1, CPU 0/KVM)", () => {
  const [wait] =
    waitsOf(`CPU 0/KVM  2101/2122  [001]  2630.264044123:  lock:contention_begin: 0xffffffff83b53c30 (flags=SPIN)
	ffffffff82201ca5 __pv_queued_spin_lock_slowpath+0x1b5 ([kernel.kallsyms])
	ffffffff813461d1 __change_page_attr_set_clr+0x91 ([kernel.kallsyms])

CPU 0/KVM  2101/2122  [000]  2630.264044200:    lock:contention_end: 0xffffffff83b53c30 (ret=0)
`);
  expect(wait).toEqual({
    process: "CPU 0/KVM",
    pid: 2101,
    tid: 2122,
    cpu: 1,
    waitNs: 77,
    flags: 1,
    lock: 0xffffffff83b53c30n,
  });
});

test("stacks belong to the event above them, without offsets and objects", () => {
  const trace = read(`a 1 [000] 1.000001: lock:contention_begin: 0xff (flags=SPIN)
	ffffffff82201ca5 _raw_spin_lock+0x1b5 ([kernel.kallsyms])
	ffffffff813461d1 pgd_alloc+0x91 ([kernel.kallsyms])

a 1 [000] 1.000002: lock:contention_end: 0xff (ret=0)
`);
  const frames = Array.from(trace.stacks.frames, (frame) => trace.strings[frame]);
  expect(frames).toEqual(["_raw_spin_lock", "pgd_alloc"]);
  expect(trace.tables.lockWait.stack[0]).toBe(0);
});

test("understands every way perf writes these lines", () => {
  const forms = [
    "      node  5000 [000]   263.105000: lock:contention_begin: 0xffff8880001 (flags=SPIN|MUTEX)",
    "node 4000/5000 [000] 263.105000000:  lock:contention_begin: 0xffff8880001 (flags=SPIN|MUTEX)",
    "node 4000/5000 [000] d..2. 263.105000000:  lock:contention_begin: 0xffff8880001 (flags=SPIN|MUTEX)",
    "node  5000 [000]   263.105000:          1 lock:contention_begin: 0xffff8880001 (flags=SPIN|MUTEX)",
    "n [0] x  5000 [000]   263.105000: lock:contention_begin: 0xffff8880001 (flags=SPIN|MUTEX)",
  ];
  for (const line of forms) {
    const [wait] = waitsOf(
      `${line}\nnode 5000 [000] 263.105003: lock:contention_end: 0xffff8880001 (ret=0)\n`,
    );
    expect(wait, line).toMatchObject({ tid: 5000, cpu: 0, waitNs: 3000, flags: 33 });
  }
});

test("a lock without flags (a semaphore) is read", () => {
  const [wait] = waitsOf(`a 1 [000] 1.000001: lock:contention_begin: 0xff (flags=)
a 1 [000] 1.000002: lock:contention_end: 0xff (ret=0)
`);
  expect(wait).toMatchObject({ flags: 0, waitNs: 1000 });
});

test("every line that is no event is counted, by reason", () => {
  const { meta } = read(`# a comment is no reject
PERF_RECORD_LOST lost 3
a 1 [000] 1.000001: sched:sched_switch: prev=x
a 1 [000] 1.000001: lock:contention_begin: gone
a 1 [000] 1.000002: lock:contention_end: 0xff (ret=0)
`);
  expect(Object.fromEntries(meta.rejects.map(({ why, count }) => [why, count]))).toEqual({
    "line that is no lock event": 2,
    "lock event without an address": 1,
    "end without a begin": 1,
  });
});

test("an empty file is a trace without events", () => {
  expect(read("").meta).toMatchObject({ events: 0, spanNs: 0, cpuCount: 0 });
});

test("a wait that is too short for the clock: the span is not 0, as shares are divided by it", () => {
  const at = (what: string) => `a 1/1 [000] 1.000001: lock:contention_${what}`;
  const address = "0xffffffff83b53c30";
  const { meta, tables } = read(
    `${at("begin")}: ${address} (flags=SPIN)\n${at("end")}: ${address} (ret=0)\n`,
  );
  expect([meta.spanNs, tables.lockWait.waitNs[0]]).toEqual([1, 0]);
});
