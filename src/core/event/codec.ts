// The file format of a trace, version 1, little-endian:
//
//   bytes 0..7    "bstrace\n"
//   u32           version
//   u32           bytes of the header
//   header        JSON: meta, strings, processes, and for each column its name, type and place
//   columns       each at a multiple of 8 after the header
//
// The header is a type of its own, not the Trace in memory: the one may change without the other.
import { BootstormError, EXIT } from "../error.ts";
import { type ColumnType, EVENTS, type EventKind, type Trace, type TraceMeta } from "./schema.ts";

export const TRACE_VERSION = 1;

const MAGIC = "bstrace\n";
const FIXED_BYTES = 16;
/** Far above the 8,192 of CONFIG_NR_CPUS: what has more is damaged, and would fill our memory. */
const CPUS_MAX = 99_999;

type Column = Float64Array | Int32Array | Uint32Array | BigUint64Array;
type StoredType = ColumnType | "address";

interface StoredColumn {
  readonly name: string;
  readonly type: StoredType;
  readonly offset: number;
  readonly length: number;
}

interface Header {
  readonly meta: Omit<TraceMeta, "origin"> & { origin: { clock: string; ns: string } };
  readonly strings: readonly string[];
  readonly processes: Trace["processes"];
  readonly columns: readonly StoredColumn[];
}

/** @returns the whole file; `readTrace` of it gives an equal trace */
export function writeTrace(trace: Trace): Uint8Array<ArrayBuffer> {
  const columns = columnsOf(trace);
  let offset = 0;
  const stored = columns.map(({ name, type, data }) => {
    const place = { name, type, offset, length: data.length };
    offset = align8(offset + data.byteLength);
    return place;
  });
  const { origin, ...meta } = trace.meta;
  const header: Header = {
    meta: { ...meta, origin: { clock: origin.clock, ns: origin.ns.toString() } },
    strings: trace.strings,
    processes: trace.processes,
    columns: stored,
  };
  const headerBytes = new TextEncoder().encode(JSON.stringify(header));
  const dataStart = align8(FIXED_BYTES + headerBytes.length);
  const file = new Uint8Array(dataStart + offset);
  file.set(new TextEncoder().encode(MAGIC));
  const view = new DataView(file.buffer);
  view.setUint32(8, TRACE_VERSION, true);
  view.setUint32(12, headerBytes.length, true);
  file.set(headerBytes, FIXED_BYTES);
  columns.forEach(({ data }, i) => {
    const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    file.set(bytes, dataStart + stored[i]!.offset);
  });
  return file;
}

/** True when the bytes begin like a trace of ours, whatever its version. */
export function isTrace(bytes: Uint8Array): boolean {
  return bytes.length >= FIXED_BYTES && new TextDecoder().decode(bytes.subarray(0, 8)) === MAGIC;
}

/**
 * Reads a file of `writeTrace`. The bytes may come from anybody: every length and every index is
 * checked, so that a trace that was read can be used without further checks.
 * @throws BootstormError BAD_TRACE or NEWER_TRACE
 */
export function readTrace(bytes: Uint8Array): Trace {
  if (!isTrace(bytes)) throw badTrace("it does not begin with the mark of a trace");
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const version = view.getUint32(8, true);
  if (version > TRACE_VERSION) throw newerTrace(version);
  if (version < 1) throw badTrace("its version is 0");
  const headerLength = view.getUint32(12, true);
  if (FIXED_BYTES + headerLength > bytes.length) throw badTrace("its header is cut off");
  const header = parseHeader(bytes.subarray(FIXED_BYTES, FIXED_BYTES + headerLength));
  const data = bytes.subarray(Math.min(align8(FIXED_BYTES + headerLength), bytes.length));
  const column = (name: string, type: StoredType) => readColumn(header, data, name, type);

  const { origin, ...meta } = header.meta;
  const tables: Record<string, unknown> = {};
  for (const kind of Object.keys(EVENTS) as EventKind[]) tables[kind] = readTable(kind, column);
  const trace: Trace = {
    meta: { ...meta, origin: { clock: origin.clock, ns: BigInt(origin.ns) } },
    strings: header.strings,
    processes: header.processes,
    stacks: {
      offsets: column("stacks.offsets", "bits") as Uint32Array,
      frames: column("stacks.frames", "bits") as Uint32Array,
    },
    locks: {
      addresses: column("locks.addresses", "address") as BigUint64Array,
      symbols: column("locks.symbols", "id") as Int32Array,
    },
    tables: tables as Trace["tables"],
  };
  checkIndices(trace);
  return trace;
}

function columnsOf(trace: Trace): { name: string; type: StoredType; data: Column }[] {
  const columns: { name: string; type: StoredType; data: Column }[] = [
    { name: "stacks.offsets", type: "bits", data: trace.stacks.offsets },
    { name: "stacks.frames", type: "bits", data: trace.stacks.frames },
    { name: "locks.addresses", type: "address", data: trace.locks.addresses },
    { name: "locks.symbols", type: "id", data: trace.locks.symbols },
  ];
  for (const [kind, shape] of Object.entries(EVENTS)) {
    const table = trace.tables[kind as EventKind] as unknown as Record<string, Column>;
    for (const [name, type] of Object.entries(shape)) {
      columns.push({ name: `${kind}.${name}`, type, data: table[name]! });
    }
  }
  return columns;
}

function readTable(
  kind: EventKind,
  column: (name: string, type: StoredType) => Column,
): Record<string, unknown> {
  const table: Record<string, unknown> = {};
  let length: number | undefined;
  for (const [name, type] of Object.entries(EVENTS[kind])) {
    const data = column(`${kind}.${name}`, type);
    if (length !== undefined && data.length !== length) {
      throw badTrace(`the columns of ${kind} differ in length`);
    }
    length = data.length;
    table[name] = data;
  }
  return { length, ...table };
}

function readColumn(header: Header, data: Uint8Array, name: string, type: StoredType): Column {
  const stored = header.columns.find((c) => c.name === name && c.type === type);
  if (stored === undefined) throw badTrace(`it has no column ${name}`);
  const { offset, length } = stored;
  const width = type === "ns" || type === "address" ? 8 : 4;
  const inside =
    Number.isSafeInteger(offset) &&
    Number.isSafeInteger(length) &&
    offset >= 0 &&
    length >= 0 &&
    offset + length * width <= data.length;
  if (!inside) throw badTrace(`the column ${name} lies outside the file`);
  // A copy: the file's bytes need not be aligned, and the trace must not keep the file alive. Not
  // `slice`, which copies nothing where the bytes are a Buffer of Node.
  const { buffer } = new Uint8Array(data.subarray(offset, offset + length * width));
  if (type === "ns") return new Float64Array(buffer);
  if (type === "address") return new BigUint64Array(buffer);
  return type === "id" ? new Int32Array(buffer) : new Uint32Array(buffer);
}

function parseHeader(bytes: Uint8Array): Header {
  let header: Header;
  try {
    header = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch {
    throw badTrace("its header is not JSON");
  }
  const { meta, strings, processes, columns } = header ?? {};
  const count = (value: unknown) => Number.isSafeInteger(value) && (value as number) >= 0;
  const sound =
    isStrings(strings) &&
    Array.isArray(processes) &&
    processes.every((p) => count(p?.pid) && typeof p?.name === "string") &&
    Array.isArray(columns) &&
    columns.every((c) => typeof c?.name === "string") &&
    typeof meta?.source === "string" &&
    typeof meta.origin?.clock === "string" &&
    /^\d{1,20}$/.test(meta.origin?.ns) &&
    [meta.spanNs, meta.cpuCount, meta.events, meta.lost].every(count) &&
    meta.spanNs > 0 &&
    meta.cpuCount > 0 &&
    meta.cpuCount <= CPUS_MAX &&
    typeof meta.stacks === "boolean" &&
    isStrings(meta.sees) &&
    Array.isArray(meta.rejects) &&
    meta.rejects.every((r) => typeof r?.why === "string" && count(r?.count));
  if (!sound) throw badTrace("its header lacks something");
  return header;
}

function isStrings(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((text) => typeof text === "string");
}

function checkIndices(trace: Trace): void {
  const { strings, stacks, locks, processes, tables } = trace;
  const stackCount = Math.max(0, stacks.offsets.length - 1);
  let previous = 0;
  for (const offset of stacks.offsets) {
    if (offset < previous || offset > stacks.frames.length) throw badTrace("a stack is broken");
    previous = offset;
  }
  requireBelow(stacks.frames, strings.length, 0, "a stack names no text");
  requireBelow(locks.symbols, strings.length, -1, "a lock names no text");
  if (locks.symbols.length !== locks.addresses.length) throw badTrace("the locks are broken");
  const { lock, stack, process, t, waitNs, observerNs } = tables.lockWait;
  requireBelow(lock, locks.addresses.length, 0, "a wait names no lock");
  requireBelow(stack, stackCount, -1, "a wait names no stack");
  requireBelow(process, processes.length, -1, "a wait names no process");
  requireTimes(t, "a time is no time");
  requireTimes(waitNs, "a wait is no time");
  requireTimes(observerNs, "a wait is no time");
}

function requireTimes(values: Float64Array, why: string): void {
  for (const ns of values) if (!(Number.isSafeInteger(ns) && ns >= 0)) throw badTrace(why);
}

function requireBelow(values: ArrayLike<number>, limit: number, least: number, why: string): void {
  for (let i = 0; i < values.length; i += 1) {
    // Written so that NaN fails too.
    if (!(values[i]! >= least && values[i]! < limit)) throw badTrace(why);
  }
}

function align8(bytes: number): number {
  return Math.ceil(bytes / 8) * 8;
}

function badTrace(why: string): BootstormError {
  return new BootstormError("BAD_TRACE", "cannot read this trace", { why, exit: EXIT.input });
}

function newerTrace(version: number): BootstormError {
  return new BootstormError("NEWER_TRACE", "cannot read this trace", {
    why: `it has version ${version}, this bootstorm reads up to version ${TRACE_VERSION}`,
    remedies: ["use the bootstorm that wrote it, or a later one"],
    exit: EXIT.input,
  });
}
