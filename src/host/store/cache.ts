import { mkdirSync, readdirSync, rmSync, statSync, utimesSync } from "node:fs";
import { homedir } from "node:os";
import { join, resolve } from "node:path";
import { BootstormError, EXIT } from "../../core/error.ts";
import { cannotWrite, writeFileAtomic } from "./atomic.ts";

/** A dozen unpacked kernels; what was not used for longest goes first. */
const CACHE_BYTES_MAX = 1 << 30;

/** A private folder of what takes long to make and can be made again. Entries are never changed. */
export interface Cache {
  /** @returns the entry's path, when it is there */
  find(name: string): string | undefined;
  /**
   * @returns the new entry's path
   * @throws BootstormError CANNOT_WRITE
   */
  put(name: string, content: string | Uint8Array): Promise<string>;
}

/** Where the XDG Base Directory Specification wants it. */
export function cacheFolder(env: NodeJS.ProcessEnv = process.env): string {
  // The specification ignores relative paths.
  const base = env.XDG_CACHE_HOME?.startsWith("/")
    ? env.XDG_CACHE_HOME
    : join(env.HOME ?? homedir(), ".cache");
  return join(base, "bootstorm");
}

/**
 * @throws BootstormError CANNOT_WRITE when the folder cannot be made; CACHE_NOT_OURS when others may
 * write to it: what is found there is handed to programs.
 */
export function openCache(folder = cacheFolder(), bytesMax = CACHE_BYTES_MAX): Cache {
  const path = resolve(folder);
  try {
    mkdirSync(path, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw cannotWrite(path, error as NodeJS.ErrnoException);
  }
  const { uid, mode } = statSync(path);
  if (uid !== process.getuid?.() || (mode & 0o022) !== 0) {
    throw new BootstormError("CACHE_NOT_OURS", `${path} is not for us alone to write`, {
      why: "a kernel or a verdict that somebody else put there would be believed",
      remedies: [`chown to yourself and chmod 700 ${path}`, "name another: XDG_CACHE_HOME=DIR"],
      exit: EXIT.host,
    });
  }
  return {
    find(name) {
      const file = join(path, name);
      if (statSync(file, { throwIfNoEntry: false })?.isFile() !== true) return undefined;
      const now = new Date();
      utimesSync(file, now, now);
      return file;
    },
    async put(name, content) {
      const file = join(path, name);
      await writeFileAtomic(file, content, { shared: false });
      removeOldest(path, name, bytesMax);
      return file;
    },
  };
}

function removeOldest(folder: string, kept: string, bytesMax: number): void {
  const entries = readdirSync(folder).flatMap((name) => {
    const file = join(folder, name);
    const found = statSync(file, { throwIfNoEntry: false });
    return found?.isFile() ? [{ file, name, bytes: found.size, usedMs: found.mtimeMs }] : [];
  });
  entries.sort((a, b) => a.usedMs - b.usedMs);
  let bytes = entries.reduce((sum, entry) => sum + entry.bytes, 0);
  for (const entry of entries) {
    if (bytes <= bytesMax) return;
    if (entry.name === kept) continue;
    rmSync(entry.file, { force: true });
    bytes -= entry.bytes;
  }
}
