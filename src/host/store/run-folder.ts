import { rmdirSync, rmSync } from "node:fs";
import { appendFile, mkdir } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { cannotWrite, requireWritable, writeFileAtomic } from "./atomic.ts";

/** Where the files of one run go: all of them or, after `discard`, none. */
export interface RunFolder {
  readonly path: string;
  /** @throws BootstormError CANNOT_WRITE */
  write(name: string, content: string | Uint8Array): Promise<void>;
  /**
   * Adds to a file that grows line by line, for what must not be lost when we are killed.
   * @throws BootstormError CANNOT_WRITE
   */
  append(name: string, text: string): Promise<void>;
  /**
   * Makes a folder in it for files that others write; `discard` removes it with all that is in it.
   * @returns its path
   * @throws BootstormError CANNOT_WRITE, also when it is there already
   */
  makeFolder(name: string): Promise<string>;
  /** Removes what was written here, and the folders that were made for it. */
  discard(): void;
}

/**
 * Makes a folder that only its owner may look into, and the folders above it.
 * @throws BootstormError CANNOT_WRITE, also when a file could not be made in it
 */
export async function createRunFolder(path: string): Promise<RunFolder> {
  const first = await mkdir(path, { recursive: true, mode: 0o700 }).catch((error) => {
    throw cannotWrite(path, error);
  });
  return openRunFolder(path, first);
}

/**
 * Makes a folder that nobody else has: `path`, or where that is there already `path-2`, `path-3` …
 * @throws BootstormError CANNOT_WRITE, also when a file could not be made in it
 */
export async function createFreshRunFolder(path: string): Promise<RunFolder> {
  const { fresh, topmost } = await makeFresh(path).catch((error) => {
    throw cannotWrite(path, error);
  });
  return openRunFolder(fresh, topmost);
}

async function makeFresh(path: string): Promise<{ fresh: string; topmost: string }> {
  const above = await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  for (let number = 1; ; number += 1) {
    const fresh = number === 1 ? path : `${path}-${number}`;
    try {
      await mkdir(fresh, { mode: 0o700 });
      return { fresh, topmost: above ?? fresh };
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    }
  }
}

/** @param topmost  the uppermost folder that was made for it; undefined: it was there */
async function openRunFolder(path: string, topmost: string | undefined): Promise<RunFolder> {
  const folder = resolve(path);
  const first = topmost === undefined ? undefined : resolve(topmost);
  const written: string[] = [];
  const made: string[] = [];

  async function write(name: string, content: string | Uint8Array): Promise<void> {
    const file = join(folder, name);
    await writeFileAtomic(file, content, { shared: false });
    written.push(file);
  }

  async function append(name: string, text: string): Promise<void> {
    const file = join(folder, name);
    if (!written.includes(file)) written.push(file);
    await appendFile(file, text, { mode: 0o600 }).catch((error) => {
      throw cannotWrite(file, error);
    });
  }

  async function makeFolder(name: string): Promise<string> {
    const inner = join(folder, name);
    await mkdir(inner, { mode: 0o700 }).catch((error) => {
      throw cannotWrite(inner, error);
    });
    made.push(inner);
    return inner;
  }

  function discard(): void {
    for (const file of written) rmSync(file, { force: true });
    for (const inner of made) rmSync(inner, { recursive: true, force: true });
    if (first === undefined) return;
    try {
      for (let up = folder; up.startsWith(first); up = dirname(up)) rmdirSync(up);
    } catch {
      // Somebody else put something there: it stays, and so do the folders above it.
    }
  }

  try {
    await requireWritable(join(folder, "report.html"));
  } catch (error) {
    discard();
    throw error;
  }
  return { path, write, append, makeFolder, discard };
}
