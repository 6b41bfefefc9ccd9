// Whole outputs, kept as files and reviewed like code.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect } from "vitest";

const FOLDER = fileURLToPath(new URL("./golden", import.meta.url));

/**
 * The output must be what `test/golden/<path>` holds. UPDATE_GOLDEN=1 writes the file instead; its
 * diff is then reviewed.
 */
export function expectGolden(path: string, output: string): void {
  const file = join(FOLDER, path);
  if (process.env.UPDATE_GOLDEN === "1") {
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, output);
    return;
  }
  if (!existsSync(file)) throw new Error(`no ${file}; write it with UPDATE_GOLDEN=1`);
  expect(output, `differs from ${file}; if rightly so, UPDATE_GOLDEN=1 rewrites it`).toBe(
    readFileSync(file, "utf8"),
  );
}
