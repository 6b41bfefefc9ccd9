// The notes in the folder of a run: what was asked, on which host, in which words. They are written before
// anything is measured, and read by `--from`.
import { existsSync } from "node:fs";
import { join } from "node:path";
import { BootstormError, EXIT } from "../../core/error.ts";
import { isRecord } from "../../core/event/json-fields.ts";
import type { Fact } from "../../core/report/footer.ts";
import { readWholeFile } from "../../host/store/read.ts";
import { shellWord } from "./simulate/words.ts";
import { VERSION } from "./version.ts";

/** Whose notes. */
export interface NotesKind {
  /** Its `--out` makes the folder, its `--from` reads it. */
  readonly command: string;
  /** The file in the folder. */
  readonly file: string;
  readonly version: number;
}

/** What all of them have. */
export interface Notes {
  /** What was asked, as in `--json`. */
  readonly input: Readonly<Record<string, unknown>>;
  /** For the report: how the numbers come about, and the commands that ask again. */
  readonly obtained: readonly Fact[];
  readonly reproduce: readonly string[];
}

// What is larger is damaged or hostile.
const NOTES_BYTES_MAX = 64 << 20;

/** @param fields  `Notes`, and what is the command's own */
export function notesText(kind: NotesKind, fields: object): string {
  const head = { format: formatOf(kind), version: kind.version, bootstorm: VERSION };
  return `${JSON.stringify({ ...head, ...fields }, null, 2)}\n`;
}

/** @throws BootstormError RUN_EXISTS: two runs in one folder could not be told apart */
export function requireNoNotes({ command, file }: NotesKind, out: string): void {
  if (!existsSync(join(out, file))) return;
  throw new BootstormError("RUN_EXISTS", `${out} holds a run already`, {
    why: "each run has a folder of its own",
    remedies: [
      "name another folder",
      `to read the run that is there: bootstorm ${command} --from ${shellWord(out)}`,
    ],
    exit: EXIT.usage,
  });
}

/**
 * The file may come from anybody.
 * @returns the notes, and all fields of the file for the command to check its own
 * @throws BootstormError CANNOT_READ, BAD_RUN, NEWER_RUN
 */
export async function readNotes(
  kind: NotesKind,
  folder: string,
): Promise<{ readonly notes: Notes; readonly fields: Readonly<Record<string, unknown>> }> {
  const path = join(folder, kind.file);
  const options = { bytesMax: NOTES_BYTES_MAX, remedies: remediesOf(kind) };
  const fields = jsonRecord(await readWholeFile(path, options));
  if (fields?.format !== formatOf(kind)) {
    throw badNotes(kind, folder, `it is not the notes of a run of ${kind.command}`);
  }
  const { version, input, obtained, reproduce } = fields;
  if (typeof version === "number" && version > kind.version) {
    throw new BootstormError("NEWER_RUN", `cannot read ${path}`, {
      why: `it has version ${version}, this bootstorm reads up to version ${kind.version}`,
      remedies: ["use the bootstorm that wrote it, or a later one"],
      exit: EXIT.input,
    });
  }
  if (
    version !== kind.version ||
    !isRecord(input) ||
    !isListOf(obtained, isFact) ||
    !isListOf(reproduce, isText)
  ) {
    throw badNotes(kind, folder, "a field of it is missing, or is not what it should be");
  }
  return { notes: { input, obtained, reproduce }, fields };
}

export function badNotes(kind: NotesKind, folder: string, why: string): BootstormError {
  return new BootstormError("BAD_RUN", `cannot read ${join(folder, kind.file)}`, {
    why,
    remedies: remediesOf(kind),
    exit: EXIT.input,
  });
}

/** For whoever cannot read a file of the folder. */
export function remediesOf({ command }: NotesKind): readonly string[] {
  return [`name the folder of a run: bootstorm ${command} --out FOLDER makes one`];
}

function formatOf({ command }: NotesKind): string {
  return `bootstorm ${command}`;
}

function jsonRecord(bytes: Uint8Array): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(new TextDecoder().decode(bytes));
    return isRecord(value) ? value : undefined;
  } catch {
    return undefined;
  }
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
