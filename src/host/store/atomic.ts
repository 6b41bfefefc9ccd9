import { randomUUID } from "node:crypto";
import { realpathSync, rmSync, statSync } from "node:fs";
import { open, rename, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { BootstormError, EXIT } from "../../core/error.ts";

/** Modes of files: one the person named is theirs to share; all others are private. */
const SHARED_MODE = 0o644;
const PRIVATE_MODE = 0o600;

/**
 * Writes a whole file or none of it: into a temporary file beside it, synced, then renamed. A
 * device or a pipe, such as /dev/stdout, cannot be replaced and is written to.
 * @throws BootstormError CANNOT_WRITE, with nothing left behind
 */
export async function writeFileAtomic(
  path: string,
  content: string | Uint8Array,
  options: { shared: boolean },
): Promise<void> {
  try {
    const file = replaceableFile(path);
    if (file === undefined) return await writeFile(path, content);
    await withTemporary(file, async (temporary) => {
      await writeSynced(temporary, content, options.shared ? SHARED_MODE : PRIVATE_MODE);
      await rename(temporary, file);
    });
  } catch (error) {
    throw cannotWrite(path, error as NodeJS.ErrnoException);
  }
}

/**
 * Finds out before long work whether its result can be written to a path.
 * @throws BootstormError CANNOT_WRITE
 */
export async function requireWritable(path: string): Promise<void> {
  try {
    const file = replaceableFile(path);
    if (file === undefined) return; // To open a pipe and close it would end it for its reader.
    await withTemporary(file, (temporary) => writeSynced(temporary, "", PRIVATE_MODE));
  } catch (error) {
    throw cannotWrite(path, error as NodeJS.ErrnoException);
  }
}

/**
 * @returns the file that is to be made or replaced, which a link may only point to; undefined when
 * something other than a file is there
 */
function replaceableFile(path: string): string | undefined {
  const found = statSync(path, { throwIfNoEntry: false });
  if (found === undefined) return path;
  if (found.isDirectory()) throw Object.assign(new Error("it is a folder"), { code: "EISDIR" });
  return found.isFile() ? realpathSync(path) : undefined;
}

/** Lends a name for a temporary file in the same folder; what still has it afterwards is removed. */
async function withTemporary(
  file: string,
  work: (temporary: string) => Promise<void>,
): Promise<void> {
  const temporary = join(dirname(file), `.bootstorm-${randomUUID()}.tmp`);
  const remove = () => rmSync(temporary, { force: true });
  process.once("exit", remove);
  try {
    await work(temporary);
  } finally {
    process.off("exit", remove);
    remove();
  }
}

async function writeSynced(
  path: string,
  content: string | Uint8Array,
  mode: number,
): Promise<void> {
  const file = await open(path, "wx", mode);
  try {
    await file.writeFile(content);
    await file.sync();
  } finally {
    await file.close();
  }
}

/** An error of the file system, said for a person. */
export function cannotWrite(path: string, error: NodeJS.ErrnoException): BootstormError {
  const reasons: Record<string, [why: string, remedy: string]> = {
    ENOSPC: ["the file system is full", "free some space, or name a path on another disk"],
    EDQUOT: ["the disk quota is used up", "free some space, or name a path on another disk"],
    ENOENT: ["its folder does not exist", "create the folder, or name another path"],
    ENOTDIR: ["a part of the path is not a folder", "name another path"],
    EEXIST: ["a file is in the way", "name another path"],
    EISDIR: ["it is a folder", "name a file"],
    EACCES: ["you may not write there", "name a path in a folder of your own"],
    EPERM: ["you may not write there", "name a path in a folder of your own"],
    EROFS: ["the file system is read-only", "name a path on another disk"],
  };
  const [why, remedy] = reasons[error.code ?? ""] ?? [error.message, "name another path"];
  return new BootstormError("CANNOT_WRITE", `cannot write ${path}`, {
    why,
    remedies: [remedy],
    exit: EXIT.host,
  });
}
