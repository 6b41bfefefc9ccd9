// The file format of rounds of boots, `rounds.jsonl`, version 1: a line of JSON that names the format,
// then one BootRound a line. A line is written when its round is over, so a run that was killed keeps
// all rounds but the last.
//
//   {"format":"bootstorm rounds","version":1}
//   {"vms":2,"limit":"none","kind":"plain","pressure":0,"repetition":0,"role":"measured",…}
import {
  type BootRecord,
  type BootRound,
  type ConsoleKept,
  MILESTONES,
  type MilestoneSeen,
  OUTCOMES,
  type RoundLoad,
} from "./boot.ts";
import {
  amountOf,
  boundedText,
  countOf,
  decimalOf,
  listOf,
  oneOf,
  optional,
  positiveOf,
  recordOf,
  textOf,
  textsOf,
  Unreadable,
} from "./json-fields.ts";
import { headerLine, type LineFormat, readJsonLines, valueLine } from "./json-lines.ts";

export const ROUNDS_VERSION = 1;

const ROUNDS: LineFormat<BootRound> = {
  format: "bootstorm rounds",
  version: ROUNDS_VERSION,
  what: "rounds",
  parse: parseRound,
};

// What is larger is damaged or hostile: far above what a storm writes, and small enough to hold.
const VMS_MAX = 16_384;
const NAME_CHARS_MAX = 256;
const THREADS_MAX = 4_096;

// Of a reason, and of the end of a console.
export const WHY_CHARS_MAX = 2_000;
export const TAIL_LINES_MAX = 100;
export const TAIL_CHARS_MAX = 1_000;

export interface ReadRounds {
  readonly rounds: readonly BootRound[];
  /** Lines that were not used, by reason. */
  readonly rejects: readonly { readonly why: string; readonly count: number }[];
}

/** The first line of the file, with its newline. */
export function roundsHeaderLine(): string {
  return headerLine(ROUNDS);
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
  return valueLine(ROUNDS, { ...round, boots });
}

/**
 * Reads a file of rounds. The bytes may come from anybody: every field is checked and bounded, so
 * that a round that was read can be used without further checks. A line that is not a round is
 * counted, and so is what a killed run left of its last line.
 * @throws BootstormError BAD_ROUNDS when the file is none of ours, NEWER_ROUNDS when a later
 *   bootstorm wrote it
 */
export function readRounds(bytes: Uint8Array): ReadRounds {
  const { values, rejects } = readJsonLines(ROUNDS, bytes);
  return { rounds: values, rejects };
}

function parseRound(value: unknown): BootRound {
  const fields = recordOf(value, "the round");
  const vms = positiveOf(fields, "vms");
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
    load: roundLoadOf(fields.load),
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
    ...optional(fields, "consoleTail", (key) =>
      textsOf(fields, key, TAIL_LINES_MAX, TAIL_CHARS_MAX),
    ),
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

/** @throws Unreadable */
export function roundLoadOf(value: unknown): RoundLoad {
  const fields = recordOf(value, "load");
  return {
    cpuBusyShare: amountOf(fields, "cpuBusyShare"),
    otherCpuNs: amountOf(fields, "otherCpuNs"),
    ...optional(fields, "cpuPressureShare", (key) => amountOf(fields, key)),
    memAvailableBytesLow: countOf(fields, "memAvailableBytesLow"),
  };
}

/** The last lines that the format has room for, their ends cut. */
export function cutTail(lines: readonly string[]): readonly string[] {
  return lines.slice(-TAIL_LINES_MAX).map((line) => line.slice(0, TAIL_CHARS_MAX));
}
