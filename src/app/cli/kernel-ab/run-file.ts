// The folder of a run, as `kernel-ab` leaves it and reads it again:
//
//   kernel-ab.json   what was asked, on which host, in which words: before the first boot
//   boots.jsonl      a line a boot, as soon as it is over (core/event/kernel-run-codec.ts)
//   consoles/        what each guest said, at most 1 MiB each; never read again
import { join } from "node:path";
import { Unreadable } from "../../../core/event/json-fields.ts";
import type { KernelRun } from "../../../core/event/kernel-run.ts";
import {
  kernelRunOf,
  type ReadKernelBoots,
  readKernelBoots,
} from "../../../core/event/kernel-run-codec.ts";
import { readWholeFile } from "../../../host/store/read.ts";
import {
  badNotes,
  type Notes,
  type NotesKind,
  notesText,
  readNotes,
  remediesOf,
  requireNoNotes,
} from "../run-notes.ts";

export const RUN_FILE = "kernel-ab.json";
export const BOOTS_FILE = "boots.jsonl";

const NOTES: NotesKind = { command: "kernel-ab", file: RUN_FILE, version: 1 };

// What is larger is damaged or hostile.
const BOOTS_BYTES_MAX = 1 << 30;

export interface ReadKernelRun extends ReadKernelBoots {
  readonly run: KernelRun;
  readonly notes: Notes;
}

export function runFileText(run: KernelRun, notes: Notes): string {
  return notesText(NOTES, { run, ...notes });
}

/** @throws BootstormError RUN_EXISTS */
export function requireNoRun(out: string): void {
  requireNoNotes(NOTES, out);
}

/**
 * Reads what a run left, also one that was killed: boots that are not whole are counted.
 * @throws BootstormError CANNOT_READ, BAD_RUN, NEWER_RUN, BAD_KERNEL_BOOTS, NEWER_KERNEL_BOOTS
 */
export async function readKernelRun(folder: string): Promise<ReadKernelRun> {
  const { notes, fields } = await readNotes(NOTES, folder);
  const run = runOf(folder, fields.run);
  const options = { bytesMax: BOOTS_BYTES_MAX, remedies: remediesOf(NOTES) };
  const boots = await readWholeFile(join(folder, BOOTS_FILE), options);
  return { ...readKernelBoots(boots, run.arms.length), run, notes };
}

function runOf(folder: string, value: unknown): KernelRun {
  try {
    return kernelRunOf(value);
  } catch (error) {
    if (error instanceof Unreadable) throw badNotes(NOTES, folder, error.message);
    throw error;
  }
}
