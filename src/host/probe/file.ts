import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Unreadable } from "../../core/facts/host-readings.ts";

// All probes read below `root`, which is "/" on a host and a folder of fixtures in the tests.

/** @throws what the file system says */
export function readText(root: string, path: string): string {
  return readFileSync(join(root, path), "utf8");
}

/** The text without its line end; undefined when it cannot be read, for whatever reason. */
export function readIfThere(root: string, path: string): string | undefined {
  try {
    return readText(root, path).trimEnd();
  } catch {
    return undefined;
  }
}

export function isThere(root: string, path: string): boolean {
  return existsSync(join(root, path));
}

export function unreadable(error: unknown): Unreadable {
  return { unreadable: (error instanceof Error ? error.message : String(error)).split("\n")[0]! };
}
