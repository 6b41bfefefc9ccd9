// Files of ours that are written line by line, so that a run that was killed keeps all but the last:
// a line of JSON that names the format, then one value a line.
//
//   {"format":"bootstorm rounds","version":1}
import { assert } from "../assert.ts";
import { BootstormError, EXIT } from "../error.ts";
import { isRecord, Unreadable } from "./json-fields.ts";

// What is larger is damaged or hostile: far above what a run writes, and small enough to hold.
const LINE_BYTES_MAX = 32 << 20;
const LINES_MAX = 100_000;

export interface LineFormat<Value> {
  /** As the first line has it. */
  readonly format: string;
  /** The newest version that is read. */
  readonly version: number;
  /** What the lines are, in the plural, for people and for the codes of errors: `rounds`. */
  readonly what: string;
  /** @throws Unreadable when the value is none of them */
  parse(value: unknown): Value;
}

export interface ReadLines<Value> {
  readonly values: readonly Value[];
  /** Lines that were not used, by reason. */
  readonly rejects: readonly { readonly why: string; readonly count: number }[];
}

/** The first line of the file, with its newline. */
export function headerLine({ format, version }: LineFormat<unknown>): string {
  return `${JSON.stringify({ format, version })}\n`;
}

/** A value as a line with its newline; `readJsonLines` gives an equal one back. */
export function valueLine<Value>(format: LineFormat<Value>, value: Value): string {
  const line = JSON.stringify(value);
  const read = parsedLine(format, line);
  assert(typeof read !== "string", `${format.what} that could not be read back: ${String(read)}`);
  return `${line}\n`;
}

/**
 * Reads a file of lines. The bytes may come from anybody. A line that is no value is counted, and so
 * is what a killed run left of its last line.
 * @throws BootstormError BAD_… when the file is none of ours, NEWER_… when a later bootstorm wrote it
 */
export function readJsonLines<Value>(
  format: LineFormat<Value>,
  bytes: Uint8Array,
): ReadLines<Value> {
  const lines = linesOf(bytes);
  requireHeader(format, lines.next().value);
  const values: Value[] = [];
  const rejects = new Map<string, number>();
  for (const line of lines) {
    if (line === "") continue;
    const read =
      values.length < LINES_MAX
        ? parsedLine(format, line)
        : `more ${format.what} than a file may have`;
    if (typeof read === "string") rejects.set(read, (rejects.get(read) ?? 0) + 1);
    else values.push(read.value);
  }
  return { values, rejects: Array.from(rejects, ([why, count]) => ({ why, count })) };
}

/** @returns the value, or why the line is none */
function parsedLine<Value>(
  format: LineFormat<Value>,
  line: string | undefined,
): { readonly value: Value } | string {
  if (line === undefined) return "the line is too long";
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return "the line is not JSON";
  }
  try {
    return { value: format.parse(value) };
  } catch (error) {
    if (error instanceof Unreadable) return error.message;
    throw error;
  }
}

/** Lines of UTF-8; one that is longer than any of ours is undefined. */
function* linesOf(bytes: Uint8Array): Generator<string | undefined, undefined> {
  const decoder = new TextDecoder();
  for (let from = 0; from < bytes.length; ) {
    const newline = bytes.indexOf(0x0a, from);
    const to = newline === -1 ? bytes.length : newline;
    yield to - from > LINE_BYTES_MAX ? undefined : decoder.decode(bytes.subarray(from, to));
    from = to + 1;
  }
}

function requireHeader(format: LineFormat<unknown>, line: string | undefined): void {
  let header: unknown;
  try {
    header = JSON.parse(line ?? "");
  } catch {
    throw badFile(format);
  }
  if (!isRecord(header) || header.format !== format.format) throw badFile(format);
  const { version } = header;
  if (typeof version !== "number" || !Number.isSafeInteger(version) || version < 1) {
    throw badFile(format);
  }
  if (version > format.version) {
    throw new BootstormError(`NEWER_${codeOf(format)}`, `cannot read these ${format.what}`, {
      why: `they have version ${version}, this bootstorm reads up to version ${format.version}`,
      remedies: ["use the bootstorm that wrote them, or a later one"],
      exit: EXIT.input,
    });
  }
}

function badFile(format: LineFormat<unknown>): BootstormError {
  return new BootstormError(`BAD_${codeOf(format)}`, `cannot read these ${format.what}`, {
    why: "the file does not begin with the line that all of ours begin with",
    exit: EXIT.input,
  });
}

function codeOf({ what }: LineFormat<unknown>): string {
  return what.toUpperCase().replaceAll(" ", "_");
}
