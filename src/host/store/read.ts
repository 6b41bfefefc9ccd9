import { readFile, stat } from "node:fs/promises";
import { BootstormError, EXIT } from "../../core/error.ts";

/**
 * Reads a whole file that a person named.
 * @throws BootstormError CANNOT_READ
 */
export async function readWholeFile(
  path: string,
  options: { bytesMax: number; remedies: readonly string[] },
): Promise<Uint8Array> {
  let why: string;
  try {
    const { size } = await stat(path);
    if (size <= options.bytesMax) return await readFile(path);
    why = `it has ${size} bytes; at most ${options.bytesMax} are read`;
  } catch (error) {
    why = reasonOf(error as NodeJS.ErrnoException);
  }
  throw new BootstormError("CANNOT_READ", `cannot read ${path}`, {
    why,
    remedies: options.remedies,
    exit: EXIT.input,
  });
}

function reasonOf(error: NodeJS.ErrnoException): string {
  const reasons: Record<string, string> = {
    ENOENT: "there is no such file",
    ENOTDIR: "there is no such file",
    EISDIR: "it is a folder",
    EACCES: "you may not read it",
    EPERM: "you may not read it",
  };
  return reasons[error.code ?? ""] ?? error.message;
}
