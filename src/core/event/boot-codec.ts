// The file format of rounds of boots, `rounds.jsonl`, version 1: a line of JSON that names the format,
// then one BootRound a line. A line is written when its round is over, so a run that was killed keeps
// all rounds but the last.
//
//   {"format":"bootstorm rounds","version":1}
//   {"vms":2,"limit":"none","kind":"plain","pressure":0,"repetition":0,"role":"measured",…}
import { assert } from "../assert.ts";
import { BootstormError, EXIT } from "../error.ts";
import {
  type BootRecord,
  type BootRound,
  type ConsoleKept,
  MILESTONES,
  type MilestoneSeen,
  OUTCOMES,
  type RoundLoad,
} from "./boot.ts";

export const ROUNDS_VERSION = 1;

const FORMAT = "bootstorm rounds";

// What is larger is damaged or hostile: far above what a storm writes, and small enough to hold.
const LINE_BYTES_MAX = 32 << 20;
const ROUNDS_MAX = 100_000;
const VMS_MAX = 16_384;
const NAME_CHARS_MAX = 256;
const WHY_CHARS_MAX = 2_000;
const TAIL_LINES_MAX = 100;
const TAIL_CHARS_MAX = 1_000;
const THREADS_MAX = 4_096;

export interface ReadRounds {
  readonly rounds: readonly BootRound[];
  /** Lines that were not used, by reason. */
  readonly rejects: readonly { readonly why: string; readonly count: number }[];
}

/** The first line of the file, with its newline. */
export function roundsHeaderLine(): string {
  return `${JSON.stringify({ format: FORMAT, version: ROUNDS_VERSION })}\n`;
}

/**
 * A round as a line with its newline; `readRounds` gives an equal one back. Reasons and console tails
 * longer than the format allows are cut.
 */
export function roundLine(round: BootRound): string {
  const boots = round.boots.map((boot) => ({
    ...boot,
    ...(boot.why === undefined ? {} : { why: boot.why.slice(0, WHY_CHARS_MAX) }),
    ...(boot.consoleTail === undefined ? {} : { consoleTail: cutTail(boot.consoleTail) }),
  }));
  const line = JSON.stringify({ ...round, boots });
  const read = roundOf(line);
  assert(typeof read !== "string", `a round that could not be read back: ${String(read)}`);
  return `${line}\n`;
}

/**
 * Reads a file of rounds. The bytes may come from anybody: every field is checked and bounded, so
 * that a round that was read can be used without further checks. A line that is not a round is
 * counted, and so is what a killed run left of its last line.
 * @throws BootstormError BAD_ROUNDS when the file is none of ours, NEWER_ROUNDS when a later
 *   bootstorm wrote it
 */
export function readRounds(bytes: Uint8Array): ReadRounds {
  const lines = linesOf(bytes);
  requireHeader(lines.next().value);
  const rounds: BootRound[] = [];
  const rejects = new Map<string, number>();
  for (const line of lines) {
    if (line === "") continue;
    const read = rounds.length < ROUNDS_MAX ? roundOf(line) : "more rounds than a file may have";
    if (typeof read === "string") rejects.set(read, (rejects.get(read) ?? 0) + 1);
    else rounds.push(read);
  }
  return { rounds, rejects: Array.from(rejects, ([why, count]) => ({ why, count })) };
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

function requireHeader(line: string | undefined): void {
  let header: unknown;
  try {
    header = JSON.parse(line ?? "");
  } catch {
    throw badRounds();
  }
  if (!isRecord(header) || header.format !== FORMAT) throw badRounds();
  const { version } = header;
  if (typeof version !== "number" || !Number.isSafeInteger(version) || version < 1) {
    throw badRounds();
  }
  if (version > ROUNDS_VERSION) {
    throw new BootstormError("NEWER_ROUNDS", "cannot read these rounds", {
      why: `they have version ${version}, this bootstorm reads up to version ${ROUNDS_VERSION}`,
      remedies: ["use the bootstorm that wrote them, or a later one"],
      exit: EXIT.input,
    });
  }
}

/** What is wrong with a line, in words that do not depend on its values: they are counted. */
class Unreadable extends Error {}

/** @returns the round, or why the line is none */
function roundOf(line: string | undefined): BootRound | string {
  if (line === undefined) return "the line is too long";
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return "the line is not JSON";
  }
  try {
    return parseRound(value);
  } catch (error) {
    if (error instanceof Unreadable) return error.message;
    throw error;
  }
}

type Fields = Readonly<Record<string, unknown>>;

function parseRound(value: unknown): BootRound {
  const fields = recordOf(value, "the round");
  const vms = countOf(fields, "vms");
  if (vms === 0) throw new Unreadable("vms: none");
  const boots = listOf(fields, "boots", VMS_MAX).map(parseBoot);
  // A VM without its row would change what the number of VMs means.
  if (boots.length !== vms) throw new Unreadable("boots: not one for each VM");
  return {
    vms,
    limit: textOf(fields, "limit", NAME_CHARS_MAX),
    kind: oneOf(fields, "kind", ["confidential", "plain"] as const),
    pressure: countOf(fields, "pressure"),
    repetition: countOf(fields, "repetition"),
    role: oneOf(fields, "role", ["warm-up", "measured", "recorded"] as const),
    originNs: decimalOf(fields, "originNs"),
    spanNs: countOf(fields, "spanNs"),
    boots,
    load: parseLoad(fields.load),
  };
}

function parseBoot(value: unknown): BootRecord {
  const fields = recordOf(value, "boots");
  const boot: BootRecord = {
    name: textOf(fields, "name", NAME_CHARS_MAX),
    group: textOf(fields, "group", NAME_CHARS_MAX),
    accelerator: oneOf(fields, "accelerator", ["snp", "kvm", "tcg", "command"] as const),
    seen: parseSeen(fields.seen),
    outcome: oneOf(fields, "outcome", OUTCOMES),
    ...optional(fields, "why", (key) => textOf(fields, key, WHY_CHARS_MAX)),
    ...optional(fields, "consoleTail", () => parseTail(fields)),
    ...optional(fields, "pid", (key) => countOf(fields, key)),
    ...optional(fields, "threads", () => parseThreads(fields.threads)),
    ...optional(fields, "cpuNs", (key) => countOf(fields, key)),
    ...optional(fields, "vcpuCpuNs", (key) => countOf(fields, key)),
    ...optional(fields, "vcpuRunDelayNs", (key) => countOf(fields, key)),
    ...optional(fields, "memoryBytes", (key) => countOf(fields, key)),
    ...optional(fields, "console", () => parseConsole(fields.console)),
  };
  if (boot.outcome === "ready") requireBootTimes(boot);
  return boot;
}

/** Without these a boot has no time; with them in another order it would have none or less. */
function requireBootTimes({ seen: { requested, admitted, ready } }: BootRecord): void {
  const known = requested !== undefined && admitted !== undefined && ready !== undefined;
  if (!known) throw new Unreadable("a boot is ready and its times are not known");
  if (requested.atNs > admitted.atNs || admitted.atNs >= ready.atNs) {
    throw new Unreadable("a boot is ready before it began");
  }
}

function parseSeen(value: unknown): BootRecord["seen"] {
  const fields = recordOf(value, "seen");
  const seen: { -readonly [Key in keyof BootRecord["seen"]]: BootRecord["seen"][Key] } = {};
  for (const milestone of MILESTONES) {
    if (fields[milestone] !== undefined) seen[milestone] = parseMilestone(fields[milestone]);
  }
  return seen;
}

function parseMilestone(value: unknown): MilestoneSeen {
  const fields = recordOf(value, "a milestone");
  return {
    atNs: countOf(fields, "atNs"),
    source: oneOf(fields, "source", ["driver", "qmp", "debug-port", "serial"] as const),
    ...optional(fields, "guestNs", (key) => countOf(fields, key)),
  };
}

function parseTail(fields: Fields): readonly string[] {
  return listOf(fields, "consoleTail", TAIL_LINES_MAX).map((line) =>
    boundedText(line, "consoleTail", TAIL_CHARS_MAX),
  );
}

function parseConsole(value: unknown): ConsoleKept {
  const fields = recordOf(value, "console");
  return {
    bytes: countOf(fields, "bytes"),
    keptBytes: countOf(fields, "keptBytes"),
    ...optional(fields, "lostBecause", (key) => textOf(fields, key, WHY_CHARS_MAX)),
  };
}

function parseThreads(value: unknown): Readonly<Record<string, string>> {
  const entries = Object.entries(recordOf(value, "threads"));
  if (entries.length > THREADS_MAX) throw new Unreadable("threads: too many");
  return Object.fromEntries(
    entries.map(([tid, name]) => {
      if (!/^\d{1,10}$/.test(tid)) throw new Unreadable("threads: a thread id is no number");
      return [tid, boundedText(name, "threads", NAME_CHARS_MAX)];
    }),
  );
}

function parseLoad(value: unknown): RoundLoad {
  const fields = recordOf(value, "load");
  return {
    cpuBusyShare: amountOf(fields, "cpuBusyShare"),
    otherCpuNs: amountOf(fields, "otherCpuNs"),
    ...optional(fields, "cpuPressureShare", (key) => amountOf(fields, key)),
    memAvailableBytesLow: countOf(fields, "memAvailableBytesLow"),
  };
}

function optional<Key extends string, Value>(
  fields: Fields,
  key: Key,
  parse: (key: Key) => Value,
): { readonly [K in Key]?: Value } {
  if (fields[key] === undefined) return {};
  return { [key]: parse(key) } as { readonly [K in Key]?: Value };
}

function recordOf(value: unknown, what: string): Fields {
  if (!isRecord(value)) throw new Unreadable(`${what}: not an object`);
  return value;
}

function isRecord(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function listOf(fields: Fields, key: string, max: number): readonly unknown[] {
  const value = fields[key];
  if (!Array.isArray(value)) throw new Unreadable(`${key}: not a list`);
  if (value.length > max) throw new Unreadable(`${key}: too many`);
  return value;
}

function textOf(fields: Fields, key: string, charsMax: number): string {
  return boundedText(fields[key], key, charsMax);
}

function boundedText(value: unknown, key: string, charsMax: number): string {
  if (typeof value !== "string") throw new Unreadable(`${key}: not a text`);
  if (value.length > charsMax) throw new Unreadable(`${key}: too long`);
  return value;
}

/** A whole number from 0 on: a count, nanoseconds or bytes. */
function countOf(fields: Fields, key: string): number {
  const value = amountOf(fields, key);
  if (!Number.isSafeInteger(value)) throw new Unreadable(`${key}: not a whole number`);
  return value;
}

function amountOf(fields: Fields, key: string): number {
  const value = fields[key];
  if (typeof value !== "number") throw new Unreadable(`${key}: not a number`);
  if (!(value >= 0 && value <= Number.MAX_SAFE_INTEGER)) {
    throw new Unreadable(`${key}: out of range`);
  }
  return value;
}

function decimalOf(fields: Fields, key: string): string {
  const value = fields[key];
  if (typeof value !== "string" || !/^\d{1,20}$/.test(value)) {
    throw new Unreadable(`${key}: not a decimal number as text`);
  }
  return value;
}

function oneOf<Word extends string>(fields: Fields, key: string, words: readonly Word[]): Word {
  const word = words.find((each) => each === fields[key]);
  if (word === undefined) throw new Unreadable(`${key}: not a word we know`);
  return word;
}

function cutTail(lines: readonly string[]): readonly string[] {
  return lines.slice(-TAIL_LINES_MAX).map((line) => line.slice(0, TAIL_CHARS_MAX));
}

function badRounds(): BootstormError {
  return new BootstormError("BAD_ROUNDS", "cannot read these rounds", {
    why: "the file does not begin with the line that all of ours begin with",
    exit: EXIT.input,
  });
}
