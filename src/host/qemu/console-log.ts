import { createWriteStream } from "node:fs";
import type { ConsoleKept } from "../../core/event/boot.ts";

/** Written in blocks of this size: each write costs more CPU time than a line of a console is worth. */
const BLOCK_BYTES = 16 << 10;

/** How much may wait for the disk before what comes is dropped. */
const WAITING_BYTES_MAX = 1 << 20;

/** A console's file. */
export interface ConsoleLog {
  /** Takes every piece at once; what finds no room is counted and dropped. Never throws. */
  write(piece: Uint8Array): void;
  /** Settles when the file is closed. Never rejects; calling it again is harmless. */
  close(): Promise<ConsoleKept>;
}

/**
 * Writes the first `bytesMax` bytes of a console to a file that only we may read. A console goes on
 * when its disk is full, slow or gone: only the file is shorter then, and says why.
 */
export function openConsoleLog(path: string, bytesMax: number): ConsoleLog {
  const file = createWriteStream(path, { mode: 0o600 });
  let block = Buffer.alloc(BLOCK_BYTES);
  let blockBytes = 0;
  let bytes = 0;
  let room = bytesMax;
  let lostBecause: string | undefined;
  file.on("error", (error: NodeJS.ErrnoException) => {
    lostBecause = reasonOf(error);
  });
  const closed = new Promise<void>((resolve) => file.once("close", resolve));

  function toDisk(piece: Uint8Array): void {
    if (file.writableLength > WAITING_BYTES_MAX) lostBecause = "the disk was too slow for it";
    else file.write(piece);
  }

  function endBlock(): void {
    if (blockBytes === 0) return;
    toDisk(block.subarray(0, blockBytes));
    block = Buffer.alloc(BLOCK_BYTES);
    blockBytes = 0;
  }

  function write(piece: Uint8Array): void {
    bytes += piece.length;
    // After a loss nothing more is written, so that the file is one piece from the beginning.
    if (lostBecause !== undefined) return;
    const kept = piece.subarray(0, room);
    room -= kept.length;
    if (blockBytes + kept.length > BLOCK_BYTES) endBlock();
    if (kept.length > BLOCK_BYTES) {
      toDisk(kept);
    } else {
      block.set(kept, blockBytes);
      blockBytes += kept.length;
    }
    if (kept.length < piece.length) lostBecause = `only its first ${bytesMax} bytes are kept`;
  }

  async function close(): Promise<ConsoleKept> {
    endBlock();
    file.end();
    await closed;
    const loss = lostBecause === undefined ? {} : { lostBecause };
    return { bytes, keptBytes: file.bytesWritten, ...loss };
  }

  return { write, close };
}

function reasonOf(error: NodeJS.ErrnoException): string {
  const reasons: Record<string, string> = {
    ENOSPC: "the file system is full",
    EDQUOT: "the disk quota is used up",
    EROFS: "the file system is read-only",
    EACCES: "the file may not be written",
  };
  return reasons[error.code ?? ""] ?? error.message;
}
