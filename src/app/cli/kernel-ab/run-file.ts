// The folder of a run, as `kernel-ab` leaves it and reads it again:
//
//   kernel-ab.json   what was asked, on which host, in which words: before the first boot
//   boots.jsonl      a line a boot, as soon as it is over (core/event/kernel-run-codec.ts)
//   consoles/        what each guest said, at most 1 MiB each; never read again
import { existsSync } from "node:fs";
import { join } from "node:path";
import { BootstormError, EXIT } from "../../../core/error.ts";
import { isRecord, Unreadable } from "../../../core/event/json-fields.ts";
import type { KernelRun } from "../../../core/event/kernel-run.ts";
import {
  kernelRunOf,
  type ReadKernelBoots,
  readKernelBoots,
} from "../../../core/event/kernel-run-codec.ts";
import type { Fact } from "../../../core/report/footer.ts";
import { readWholeFile } from "../../../host/store/read.ts";
import { shellWord } from "../simulate/words.ts";
import { VERSION } from "../version.ts";

export const RUN_FILE = "kernel-ab.json";
export const BOOTS_FILE = "boots.jsonl";

const FORMAT = "bootstorm kernel-ab";
const FORMAT_VERSION = 1;

// What is larger is damaged or hostile.
const RUN_BYTES_MAX = 1 << 20;
const BOOTS_BYTES_MAX = 1 << 30;

const REMEDIES = ["name the folder of a run: bootstorm kernel-ab --out FOLDER makes one"];

/** What is known before the first boot, for the report. */
export interface KernelRunNotes {
  /** What was asked, as in `--json`. */
  readonly input: Readonly<Record<string, unknown>>;
  /** How the numbers come about, and the commands that ask again. */
  readonly obtained: readonly Fact[];
  readonly reproduce: readonly string[];
}

export interface ReadKernelRun extends ReadKernelBoots {
  readonly run: KernelRun;
  readonly notes: KernelRunNotes;
}

export function runFileText(run: KernelRun, notes: KernelRunNotes): string {
  const head = { format: FORMAT, version: FORMAT_VERSION, bootstorm: VERSION };
  return `${JSON.stringify({ ...head, run, ...notes }, null, 2)}\n`;
}

/** @throws BootstormError RUN_EXISTS: two runs in one folder could not be told apart */
export function requireNoRun(out: string): void {
  if (!existsSync(join(out, RUN_FILE))) return;
  throw new BootstormError("RUN_EXISTS", `${out} holds a run already`, {
    why: "each run has a folder of its own",
    remedies: [
      "name another folder",
      `to read the run that is there: bootstorm kernel-ab --from ${shellWord(out)}`,
    ],
    exit: EXIT.usage,
  });
}

/**
 * Reads what a run left, also one that was killed: boots that are not whole are counted.
 * @throws BootstormError CANNOT_READ, BAD_RUN, NEWER_RUN, BAD_KERNEL_BOOTS, NEWER_KERNEL_BOOTS
 */
export async function readKernelRun(folder: string): Promise<ReadKernelRun> {
  const read = (name: string, bytesMax: number) =>
    readWholeFile(join(folder, name), { bytesMax, remedies: REMEDIES });
  const { run, notes } = notesOf(join(folder, RUN_FILE), await read(RUN_FILE, RUN_BYTES_MAX));
  const boots = readKernelBoots(await read(BOOTS_FILE, BOOTS_BYTES_MAX), run.arms.length);
  return { ...boots, run, notes };
}

/** The file may come from anybody. */
function notesOf(path: string, bytes: Uint8Array): Pick<ReadKernelRun, "run" | "notes"> {
  const fields = jsonRecord(bytes);
  if (fields?.format !== FORMAT) throw badRun(path, "it is not the notes of a kernel-ab run");
  const { version, run, input, obtained, reproduce } = fields;
  if (typeof version === "number" && version > FORMAT_VERSION) {
    throw new BootstormError("NEWER_RUN", `cannot read ${path}`, {
      why: `it has version ${version}, this bootstorm reads up to version ${FORMAT_VERSION}`,
      remedies: ["use the bootstorm that wrote it, or a later one"],
      exit: EXIT.input,
    });
  }
  if (
    version !== FORMAT_VERSION ||
    !isRecord(input) ||
    !isListOf(obtained, isFact) ||
    !isListOf(reproduce, isText)
  ) {
    throw badRun(path, "a field of it is missing, or is not what it should be");
  }
  return { run: runOf(path, run), notes: { input, obtained, reproduce } };
}

function runOf(path: string, value: unknown): KernelRun {
  try {
    return kernelRunOf(value);
  } catch (error) {
    if (error instanceof Unreadable) throw badRun(path, error.message);
    throw error;
  }
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

function badRun(path: string, why: string): BootstormError {
  return new BootstormError("BAD_RUN", `cannot read ${path}`, {
    why,
    remedies: REMEDIES,
    exit: EXIT.input,
  });
}
