// What tests need of the machine they run on. A test that lacks something says so and is skipped;
// where BOOTSTORM_REQUIRE_ALL=1 promises that nothing is missing, as in CI, it fails instead.
import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";
import { directMapIsLarge } from "../src/core/analyze/pressure.ts";
import { readSecretmem } from "../src/host/probe/secretmem.ts";
import { readDirectMapCounters } from "../src/host/secretmem/counters.ts";

export type Need =
  | "root"
  | "memfd_secret"
  | "large direct map"
  | `program ${string}`
  | `file ${string}`;

/**
 * @returns what is missing, for `ctx.skip`; undefined when everything is here
 * @example
 *   const missing = needs("root", "program perf");
 *   if (missing) return ctx.skip(missing);
 * @throws when something is missing although BOOTSTORM_REQUIRE_ALL=1
 */
export function needs(...all: readonly Need[]): string | undefined {
  const missing = all.filter((need) => !isHere(need));
  if (missing.length === 0) return undefined;
  const text = `needs ${missing.join(", ")}`;
  if (process.env.BOOTSTORM_REQUIRE_ALL === "1") throw new Error(`this machine lacks it: ${text}`);
  return text;
}

function isHere(need: Need): boolean {
  if (need === "root") return process.getuid?.() === 0;
  if (need === "memfd_secret") return secretmemWorks();
  if (need === "large direct map") return directMapIsLarge(readDirectMapCounters());
  const [kind, name = ""] = need.split(" ");
  if (kind === "file") return may(name, constants.R_OK);
  return (process.env.PATH ?? "")
    .split(delimiter)
    .some((folder) => may(join(folder, name), constants.X_OK));
}

function secretmemWorks(): boolean {
  const reading = readSecretmem();
  return "usable" in reading && reading.usable;
}

function may(path: string, mode: number): boolean {
  try {
    accessSync(path, mode);
    return true;
  } catch {
    return false;
  }
}
