// The folder of a run, as `storm` leaves it and reads it again:
//
//   storm.json     what was asked, on which host, in which words: before the first VM starts
//   rounds.jsonl   a line a round, as soon as it is over (core/event/boot-codec.ts)
//   waits-N.bst    lock waits during a round (core/event/codec.ts)
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import type { RoundTrace } from "../../../core/analyze/boot-locks.ts";
import type { BootRound } from "../../../core/event/boot.ts";
import { type ReadRounds, readRounds } from "../../../core/event/boot-codec.ts";
import { readWholeFile } from "../../../host/store/read.ts";
import { readRecording } from "../recording/read.ts";
import {
  badNotes,
  type Notes,
  type NotesKind,
  notesText,
  readNotes,
  remediesOf,
  requireNoNotes,
} from "../run-notes.ts";

export const RUN_FILE = "storm.json";
export const ROUNDS_FILE = "rounds.jsonl";

const NOTES: NotesKind = { command: "storm", file: RUN_FILE, version: 1 };

// What is larger is damaged or hostile.
const ROUNDS_BYTES_MAX = 2 ** 31;

/** What is known of a storm before it begins. */
export interface RunNotes extends Notes {
  readonly seed: number;
}

export interface ReadRun extends ReadRounds {
  readonly notes: RunNotes;
  readonly traces: readonly RoundTrace[];
}

export function runFileText(notes: RunNotes): string {
  return notesText(NOTES, notes);
}

/** @throws BootstormError RUN_EXISTS */
export function requireNoRun(out: string): void {
  requireNoNotes(NOTES, out);
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
  const { notes, fields } = await readNotes(NOTES, folder);
  const { seed } = fields;
  if (!isSeed(seed)) throw badNotes(NOTES, folder, "its seed is no whole number");
  const options = { bytesMax: ROUNDS_BYTES_MAX, remedies: remediesOf(NOTES) };
  const rounds = readRounds(await readWholeFile(file(ROUNDS_FILE), options));
  const names = (await readdir(folder)).filter((name) => /^waits-\d+\.bst$/.test(name)).sort();
  const traces: RoundTrace[] = [];
  for (const name of names) {
    const trace = await readRecording(file(name));
    const round = roundDuring(trace.meta, rounds.rounds);
    if (round !== -1) traces.push({ round, trace });
  }
  traces.sort((a, b) => a.round - b.round);
  return { ...rounds, notes: { ...notes, seed }, traces };
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

function isSeed(value: unknown): value is number {
  return Number.isSafeInteger(value) && Number(value) >= 0;
}
