import { addressTable } from "../event/address-table.ts";
import type { Trace } from "../event/schema.ts";
import { stackBuilder } from "../event/stack-builder.ts";
import { type StringTable, stringTable } from "../event/strings.ts";
import { type EventFormat, parseEventFormat } from "./event-format.ts";
import type { Symbols } from "./kallsyms.ts";
import { mergeByTime } from "./merge.ts";
import { pairing } from "./pairing.ts";
import type { RawRecording } from "./raw-recording.ts";
import { type DecodedCpu, decodePages, eventLayout } from "./ring-buffer.ts";
import { type TaskHistory, taskHistory } from "./tasks.ts";

/** Makes a trace of what our own recorder brought home. Bad bytes are counted, never thrown over. */
export function readTracefs(recording: RawRecording, symbols: Symbols): Trace {
  const formats = recording.formats.map(parseEventFormat).filter((format) => format !== undefined);
  const layout = eventLayout(formats);
  const locks = addressTable();
  const frames = addressTable();
  const stacks = stackBuilder();
  const cpus = recording.cpus.map(({ pages }) =>
    decodePages(pages, recording.startNs, layout, locks, frames, stacks),
  );

  const { waits, rejects } = pairAll(recording, cpus);
  const tasks = followTasks(recording, formats, cpus);
  for (let i = 0; i < waits.length; i += 1) {
    waits.process[i] = tasks.processAt(waits.t[i]!, waits.tid[i]!);
  }

  const strings = stringTable();
  const functionOf = nameFrames(frames.addresses(), symbols, strings);
  const byAddress = stacks.build();
  const sum = (values: number[]) => values.reduce((a, b) => a + b, 0);
  const broken = sum(cpus.map((cpu) => cpu.brokenPages));
  const cut = sum(recording.cpus.map((cpu) => cpu.pagesCut));
  return {
    meta: {
      source: "tracefs",
      origin: { clock: recording.clock, ns: recording.startNs },
      spanNs: Number(recording.endNs - recording.startNs),
      cpuCount: recording.cpus.length,
      sees: ["lockWait"],
      stacks: recording.stacks,
      events: sum(cpus.map(({ contention, others }) => contention.length + others.length)),
      lost: sum(recording.cpus.map((cpu) => cpu.dropped)),
      rejects: [
        ...[...rejects].map(([why, count]) => ({ why, count })),
        ...(broken > 0
          ? [{ why: "page of the ring buffer that makes no sense", count: broken }]
          : []),
        ...(cut > 0
          ? [{ why: "page read but not kept: the memory limit was reached", count: cut }]
          : []),
      ],
    },
    strings: strings.list,
    stacks: { offsets: byAddress.offsets, frames: byAddress.frames.map((f) => functionOf[f]!) },
    locks: nameLocks(locks.addresses(), symbols, strings),
    processes: tasks.processes,
    tables: { lockWait: waits },
  };
}

function pairAll(recording: RawRecording, cpus: readonly DecodedCpu[]) {
  const streams = cpus.map((cpu) => cpu.contention);
  const pairs = pairing(
    streams.reduce((sum, { length, isEnd }) => sum + length - count(isEnd, length), 0),
  );
  mergeByTime(streams, (stream, row) => {
    const { t, tid, lock, stack, stackNs, flags, isEnd } = streams[stream]!;
    const { cpu } = recording.cpus[stream]!;
    if (isEnd[row] === 1) pairs.end(t[row]!, cpu, tid[row]!, lock[row]!);
    else pairs.begin(t[row]!, cpu, tid[row]!, lock[row]!, stack[row]!, flags[row]!, stackNs[row]!);
  });
  return pairs.finish();
}

function count(bits: Uint8Array, length: number): number {
  let ones = 0;
  for (let i = 0; i < length; i += 1) ones += bits[i]!;
  return ones;
}

/** Applies the makings and renamings of threads that were recorded, in the order of time. */
function followTasks(
  recording: RawRecording,
  formats: readonly EventFormat[],
  cpus: readonly DecodedCpu[],
): TaskHistory {
  const history = taskHistory(recording.tasks);
  const byId = new Map(formats.map((format) => [format.id, format]));
  const events = cpus.flatMap((cpu) => cpu.others).sort((a, b) => a.t - b.t);
  for (const { t, id, tid, payload } of events) {
    const format = byId.get(id);
    if (format === undefined) continue;
    const fieldOf = (name: string) => format.fields.get(name);
    const number = (name: string) => readNumber(payload, fieldOf(name));
    const text = (name: string) => readText(payload, fieldOf(name));
    if (format.name === "task_newtask") {
      history.created(t, number("pid"), tid, number("clone_flags"), text("comm"));
    } else if (format.name === "task_rename") {
      history.renamed(t, fieldOf("pid") ? number("pid") : tid, text("newcomm"));
    }
  }
  return history;
}

/** The low 32 bits of a field; 0 for a field that is not there. */
function readNumber(payload: DataView, field: { offset: number } | undefined): number {
  if (field === undefined || field.offset + 4 > payload.byteLength) return 0;
  return payload.getInt32(field.offset, true);
}

function readText(payload: DataView, field: { offset: number; size: number } | undefined): string {
  if (field === undefined || field.offset + field.size > payload.byteLength) return "";
  const bytes = new Uint8Array(payload.buffer, payload.byteOffset + field.offset, field.size);
  const end = bytes.indexOf(0);
  return new TextDecoder().decode(end === -1 ? bytes : bytes.subarray(0, end));
}

/** @returns for each frame number the string number of its function */
function nameFrames(
  addresses: BigUint64Array,
  symbols: Symbols,
  strings: StringTable,
): Uint32Array {
  return Uint32Array.from(addresses, (address) => {
    // A return address points after the call, which may be the first byte of the next function.
    const name = symbols.functionAt(address - 1n);
    return strings.intern(name ?? hex(address));
  });
}

function nameLocks(
  addresses: BigUint64Array,
  symbols: Symbols,
  strings: StringTable,
): Trace["locks"] {
  const named = Int32Array.from(addresses, (address) => {
    const symbol = symbols.objectAt(address);
    return symbol === undefined ? -1 : strings.intern(symbol);
  });
  return { addresses, symbols: named };
}

function hex(address: bigint): string {
  return `0x${address.toString(16).padStart(16, "0")}`;
}
