import { mkdir, open, rename, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { BootstormError, EXIT } from "../../core/error.ts";

/** Modes of files: one the person named is theirs to share; all others are private. */
const SHARED_MODE = 0o644;
const PRIVATE_MODE = 0o600;

/**
 * Writes a whole file or none of it: into a temporary file beside it, synced, then renamed.
 * @throws BootstormError CANNOT_WRITE, with nothing left behind
 */
export async function writeFileAtomic(
  path: string,
  content: string | Uint8Array,
  options: { shared: boolean },
): Promise<void> {
  const temporary = join(dirname(path), `.${basename(path)}.${process.pid}.tmp`);
  try {
    const file = await open(temporary, "wx", options.shared ? SHARED_MODE : PRIVATE_MODE);
    try {
      await file.writeFile(content);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw cannotWrite(path, error as NodeJS.ErrnoException);
  }
}

/**
 * Makes a folder that only its owner may look into, and the folders above it.
 * @returns its path
 * @throws BootstormError CANNOT_WRITE
 */
export async function createRunFolder(path: string): Promise<string> {
  try {
    await mkdir(path, { recursive: true, mode: 0o700 });
    return path;
  } catch (error) {
    throw cannotWrite(path, error as NodeJS.ErrnoException);
  }
}

/** An error of the file system, said for a person. */
export function cannotWrite(path: string, error: NodeJS.ErrnoException): BootstormError {
  const reasons: Record<string, [why: string, remedy: string]> = {
    ENOSPC: ["the file system is full", "free some space, or name a path on another disk"],
    EDQUOT: ["the disk quota is used up", "free some space, or name a path on another disk"],
    ENOENT: ["its folder does not exist", "create the folder, or name another path"],
    ENOTDIR: ["a part of the path is not a folder", "name another path"],
    EISDIR: ["it is a folder", "name a file"],
    EACCES: ["you may not write there", "name a path in a folder of your own"],
    EROFS: ["the file system is read-only", "name a path on another disk"],
  };
  const [why, remedy] = reasons[error.code ?? ""] ?? [error.message, "name another path"];
  return new BootstormError("CANNOT_WRITE", `cannot write ${path}`, {
    why,
    remedies: [remedy],
    exit: EXIT.host,
  });
}
