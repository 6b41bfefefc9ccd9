// As much of ELF-64, little-endian, as tells what a file is. Source: elf(5), System V ABI.

export const PT_INTERP = 3;
export const PT_NOTE = 4;

const EM_X86_64 = 62;
/** Longer tables come from no linker. */
const SEGMENTS_MAX = 128;

export interface ElfSegment {
  readonly type: number;
  readonly bytes: Buffer;
}

/** @returns the segments of a program for x86-64; undefined when the file is none, or is cut off */
export function elfSegments(file: Buffer): readonly ElfSegment[] | undefined {
  if (file.length < 64 || !file.subarray(0, 6).equals(Buffer.from("\x7fELF\x02\x01", "latin1"))) {
    return undefined;
  }
  const table = Number(file.readBigUInt64LE(32));
  const entryBytes = file.readUInt16LE(54);
  const count = file.readUInt16LE(56);
  const isWhole = entryBytes >= 56 && table + count * entryBytes <= file.length;
  if (file.readUInt16LE(18) !== EM_X86_64 || count > SEGMENTS_MAX || !isWhole) return undefined;
  return Array.from({ length: count }, (_, i) => {
    const at = table + i * entryBytes;
    const offset = Number(file.readBigUInt64LE(at + 8));
    const bytes = Number(file.readBigUInt64LE(at + 32));
    return { type: file.readUInt32LE(at), bytes: file.subarray(offset, offset + bytes) };
  });
}

export interface ElfNote {
  readonly owner: string;
  readonly type: number;
}

/** The notes of a PT_NOTE segment: sizes of name and content, type, name, content, each padded to 4. */
export function elfNotes(segment: Buffer): readonly ElfNote[] {
  const notes: ElfNote[] = [];
  let at = 0;
  while (at + 12 <= segment.length) {
    const nameBytes = segment.readUInt32LE(at);
    const contentBytes = segment.readUInt32LE(at + 4);
    const name = segment.subarray(at + 12, at + 12 + nameBytes).toString("latin1");
    notes.push({ owner: name.replace(/\0+$/, ""), type: segment.readUInt32LE(at + 8) });
    at += 12 + padded(nameBytes) + padded(contentBytes);
  }
  return notes;
}

function padded(bytes: number): number {
  return Math.ceil(bytes / 4) * 4;
}
