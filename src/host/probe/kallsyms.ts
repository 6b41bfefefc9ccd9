import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { KallsymsReading } from "../../core/facts/host-readings.ts";

const NAMES = ["cpa_lock", "pgd_lock", "collapse_large_pages", "__traceiter_contention_begin"];
/** A kernel without names for its data still has some: the edges of its sections. */
const DATA_SYMBOLS_FEW = 1000;

/** /proc/kallsyms, some 200,000 lines: `ffffffff83b53c30 b cpa_lock`, modules with a tab behind. */
export async function readKallsyms(root: string): Promise<KallsymsReading> {
  const text = await readFile(join(root, "/proc/kallsyms"), "utf8");
  return {
    lines: text.match(/\n/g)?.length ?? 0,
    addresses: /^(?!0+ )[0-9a-f]+ /m.test(text),
    dataSymbols: (text.match(/^[0-9a-f]+ [bBdDrR] /gm)?.length ?? 0) > DATA_SYMBOLS_FEW,
    names: NAMES.filter((name) => text.includes(` ${name}\n`)),
  };
}
