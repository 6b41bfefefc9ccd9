// The kernel inside a bzImage. Source: Documentation/arch/x86/boot.rst, "The Real-Mode Kernel Header".
import { promisify } from "node:util";
import { gunzip } from "node:zlib";
import { type FilterResult, runFilter } from "../exec/run.ts";

/** Unpacked kernels have 10 to 100 MiB. */
const VMLINUX_BYTES_MAX = 512 << 20;
const UNPACK_LIMIT_MS = 60_000;

/** Programs by the first bytes of what they unpack, as scripts/extract-vmlinux in Linux has them. */
const UNPACKERS: readonly (readonly [magic: string, program: string, args: readonly string[]])[] = [
  ["\xfd7zXZ\0", "xz", ["-dc"]],
  ["\x28\xb5\x2f\xfd", "zstd", ["-dc"]],
  ["\x02!L\x18", "lz4", ["-dc"]],
  ["BZh", "bzip2", ["-dc"]],
  ["\x5d\0\0", "xz", ["--format=lzma", "-dc"]],
];
const GZIP = "\x1f\x8b\x08";

/** The kernel, or why it could not be had. */
export type Unpacked = { readonly vmlinux: Buffer } | { readonly refused: string };

/** Is it a bzImage with a payload that can be found: boot protocol 2.08 (Linux 2.6.26) or later? */
export function isBzImage(file: Buffer): boolean {
  return (
    file.length > 0x250 &&
    file.toString("latin1", 0x202, 0x206) === "HdrS" &&
    file.readUInt16LE(0x206) >= 0x208
  );
}

/** Unpacks by zlib, or by a program of the host. */
export async function unpackKernel(bzImage: Buffer, signal: AbortSignal): Promise<Unpacked> {
  // 0 stands for 4 sectors of set-up code; the payload's place counts from after them.
  const setupSectors = bzImage[0x1f1]! || 4;
  const from = (setupSectors + 1) * 512 + bzImage.readUInt32LE(0x248);
  const payload = bzImage.subarray(from, from + bzImage.readUInt32LE(0x24c));
  if (startsWith(payload, GZIP)) return unzip(payload);
  const unpacker = UNPACKERS.find(([magic]) => startsWith(payload, magic));
  if (unpacker === undefined || payload.length < 4) {
    return { refused: "its compression is none of gzip, xz, zstd, lz4, bzip2 and lzma" };
  }
  // All but gzip are followed by the size they unpack to (size_append in scripts/Makefile.lib).
  const bytes = payload.readUInt32LE(payload.length - 4);
  if (bytes > VMLINUX_BYTES_MAX) return { refused: `it claims to unpack to ${bytes} bytes` };
  const [, program, args] = unpacker;
  const unpacked = await runFilter(program, args, payload.subarray(0, -4), {
    limitMs: UNPACK_LIMIT_MS,
    outputBytesMax: bytes + 1,
    signal,
  });
  signal.throwIfAborted();
  if (unpacked.status === "exited" && unpacked.code === 0 && unpacked.stdout.length === bytes) {
    return { vmlinux: unpacked.stdout };
  }
  return { refused: failureOf(program, unpacked) };
}

async function unzip(payload: Buffer): Promise<Unpacked> {
  try {
    return { vmlinux: await promisify(gunzip)(payload, { maxOutputLength: VMLINUX_BYTES_MAX }) };
  } catch (error) {
    return { refused: `gzip: ${(error as Error).message}` };
  }
}

function failureOf(program: string, { status, code, stderr, stdout }: FilterResult): string {
  if (status === "missing") return `the program ${program} is not installed`;
  const said = stderr.trim().split("\n")[0];
  if (status === "exited" && code === 0) return `${program} gave ${stdout.length} bytes of it`;
  return `${program}: ${said || `status ${code ?? status}`}`;
}

function startsWith(bytes: Buffer, magic: string): boolean {
  return bytes.toString("latin1", 0, magic.length) === magic;
}
