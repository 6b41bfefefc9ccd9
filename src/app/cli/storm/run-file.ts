// The folder of a run, as `storm` leaves it and reads it again:
//
//   storm.json     what was asked, on which host, in which words: before the first VM starts
//   rounds.jsonl   a line a round, as soon as it is over (core/event/boot-codec.ts)
//   waits-N.bst    lock waits during a round (core/event/codec.ts)
import { existsSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import type { RoundTrace } from "../../../core/analyze/boot-locks.ts";
import { BootstormError, EXIT } from "../../../core/error.ts";
import type { BootRound } from "../../../core/event/boot.ts";
import { type ReadRounds, readRounds } from "../../../core/event/boot-codec.ts";
import type { Fact } from "../../../core/report/footer.ts";
import { readWholeFile } from "../../../host/store/read.ts";
import { readRecording } from "../recording/read.ts";
import { shellWord } from "../simulate/words.ts";
import { VERSION } from "../version.ts";

export const RUN_FILE = "storm.json";
export const ROUNDS_FILE = "rounds.jsonl";

const FORMAT = "bootstorm storm";
const FORMAT_VERSION = 1;

// What is larger is damaged or hostile.
const RUN_BYTES_MAX = 64 << 20;
const ROUNDS_BYTES_MAX = 2 ** 31;

const REMEDIES = ["name the folder of a run: bootstorm storm --out FOLDER makes one"];

/** What is known of a storm before it begins. */
export interface RunNotes {
  readonly seed: number;
  /** What was asked, as in `--json`. */
  readonly input: Readonly<Record<string, unknown>>;
  /** For the report: how the numbers come about, and the commands that ask again. */
  readonly obtained: readonly Fact[];
  readonly reproduce: readonly string[];
}

export interface ReadRun extends ReadRounds {
  readonly notes: RunNotes;
  readonly traces: readonly RoundTrace[];
}

export function runFileText(notes: RunNotes): string {
  const head = { format: FORMAT, version: FORMAT_VERSION, bootstorm: VERSION };
  return `${JSON.stringify({ ...head, ...notes }, null, 2)}\n`;
}

/** @throws BootstormError RUN_EXISTS: two runs in one folder could not be told apart */
export function requireNoRun(out: string): void {
  if (!existsSync(join(out, RUN_FILE))) return;
  throw new BootstormError("RUN_EXISTS", `${out} holds a run already`, {
    why: "each run has a folder of its own",
    remedies: [
      "name another folder",
      `to read the run that is there: bootstorm storm --from ${shellWord(out)}`,
    ],
    exit: EXIT.usage,
  });
}

/** The file of a round's lock waits. */
export function waitsFile(round: number): string {
  return `waits-${round}.bst`;
}

/**
 * Reads what a storm left, also one that was killed: rounds that are not whole are counted.
 * @throws BootstormError CANNOT_READ, BAD_RUN, NEWER_RUN, BAD_ROUNDS, NEWER_ROUNDS, BAD_TRACE …
 */
export async function readRun(folder: string): Promise<ReadRun> {
  const file = (name: string) => join(folder, name);
  const read = (name: string, bytesMax: number) =>
    readWholeFile(file(name), { bytesMax, remedies: REMEDIES });
  const notes = notesOf(file(RUN_FILE), await read(RUN_FILE, RUN_BYTES_MAX));
  const rounds = readRounds(await read(ROUNDS_FILE, ROUNDS_BYTES_MAX));
  const names = (await readdir(folder)).filter((name) => /^waits-\d+\.bst$/.test(name)).sort();
  const traces: RoundTrace[] = [];
  for (const name of names) {
    const trace = await readRecording(file(name));
    const round = roundDuring(trace.meta, rounds.rounds);
    if (round !== -1) traces.push({ round, trace });
  }
  traces.sort((a, b) => a.round - b.round);
  return { ...rounds, notes, traces };
}

/** A recording begins before its round; where a line of the rounds is lost, none is its own. */
function roundDuring(
  { origin, spanNs }: RoundTrace["trace"]["meta"],
  rounds: readonly BootRound[],
): number {
  const endNs = origin.ns + BigInt(spanNs);
  return rounds.findIndex(({ originNs }) => {
    const ns = BigInt(originNs);
    return ns >= origin.ns && ns < endNs;
  });
}

/** The file may come from anybody. */
function notesOf(path: string, bytes: Uint8Array): RunNotes {
  const fields = jsonRecord(bytes);
  if (fields?.format !== FORMAT) throw badRun(path, "it is not the notes of a storm");
  const { version, seed, input, obtained, reproduce } = fields;
  if (typeof version === "number" && version > FORMAT_VERSION) {
    throw new BootstormError("NEWER_RUN", `cannot read ${path}`, {
      why: `it has version ${version}, this bootstorm reads up to version ${FORMAT_VERSION}`,
      remedies: ["use the bootstorm that wrote it, or a later one"],
      exit: EXIT.input,
    });
  }
  if (
    version !== FORMAT_VERSION ||
    !isSeed(seed) ||
    !isRecord(input) ||
    !isListOf(obtained, isFact) ||
    !isListOf(reproduce, isText)
  ) {
    throw badRun(path, "a field of it is missing, or is not what it should be");
  }
  return { seed, input, obtained, reproduce };
}

function jsonRecord(bytes: Uint8Array): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(new TextDecoder().decode(bytes));
    return isRecord(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isListOf<T>(value: unknown, isOne: (each: unknown) => each is T): value is readonly T[] {
  return Array.isArray(value) && value.every(isOne);
}

function isText(value: unknown): value is string {
  return typeof value === "string";
}

function isFact(value: unknown): value is Fact {
  return isRecord(value) && isText(value.label) && isText(value.text);
}

function isSeed(value: unknown): value is number {
  return Number.isSafeInteger(value) && Number(value) >= 0;
}

function badRun(path: string, why: string): BootstormError {
  return new BootstormError("BAD_RUN", `cannot read ${path}`, {
    why,
    remedies: REMEDIES,
    exit: EXIT.input,
  });
}
