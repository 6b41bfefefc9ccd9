import { closeSync, constants, openSync, readSync } from "node:fs";
import { join } from "node:path";
import type { KernelLogReading, Reading } from "../../core/facts/host-readings.ts";
import { runProgram } from "../exec/run.ts";
import { unreadable } from "./file.ts";

const OF_INTEREST = /PV spinlocks|PV qspinlock|Hypervisor detected|SEV|RMP table/;
/** Longer than any record: the kernel refuses a shorter buffer (CONSOLE_EXT_LOG_MAX, 8 KiB). */
const RECORD_BYTES = 16 * 1024;

/** The kernel's own buffer if it still holds the boot, else what the journal kept. */
export async function readKernelLog(
  root: string,
  limitMs: number,
  signal: AbortSignal,
): Promise<Reading<KernelLogReading>> {
  const own = readKmsg(root);
  if ("unreadable" in own || !own.fromBoot) {
    return (root === "/" ? await readJournal(limitMs, signal) : undefined) ?? own;
  }
  return own;
}

/** `6,340,5140900,-;kvm-guest: PV spinlocks enabled`: level, sequence number, µs, flags; text. */
function readKmsg(root: string): Reading<KernelLogReading> {
  try {
    const records = readRecords(join(root, "/dev/kmsg")).split("\n");
    return {
      source: "/dev/kmsg",
      fromBoot: /^\d+,0,/.test(records[0] ?? ""),
      lines: records
        .map((record) => record.slice(record.indexOf(";") + 1))
        .filter((text) => OF_INTEREST.test(text)),
    };
  } catch (error) {
    return unreadable(error);
  }
}

/** Each read gives one record, and EAGAIN after the last. */
function readRecords(path: string): string {
  const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  const buffer = Buffer.alloc(RECORD_BYTES);
  let text = "";
  try {
    for (;;) {
      const bytes = readRecord(fd, buffer);
      if (bytes === 0) return text;
      if (bytes !== undefined) text += buffer.toString("utf8", 0, bytes);
    }
  } finally {
    closeSync(fd);
  }
}

/** @returns 0 at the end, undefined when the record was overwritten before we could read it */
function readRecord(fd: number, buffer: Buffer): number | undefined {
  try {
    return readSync(fd, buffer);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "EAGAIN") return 0;
    if (code === "EPIPE") return undefined;
    throw error;
  }
}

async function readJournal(
  limitMs: number,
  signal: AbortSignal,
): Promise<KernelLogReading | undefined> {
  const args = ["--dmesg", "--boot", "--output=cat", "--no-pager", "--quiet"];
  const { status, code, stdout } = await runProgram("journalctl", args, {
    limitMs,
    signal,
    outputBytesMax: 8 << 20,
  });
  if (status !== "exited" || code !== 0 || stdout === "") return undefined;
  const lines = stdout.split("\n");
  return {
    source: "journalctl --dmesg --boot",
    fromBoot: /^Linux version /.test(lines[0]!),
    lines: lines.filter((text) => OF_INTEREST.test(text)),
  };
}
