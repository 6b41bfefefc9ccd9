import type { Ability } from "./fact-words.ts";
import { type HostReadings, type KernelReading, known } from "./host-readings.ts";
import { atLeast, versionOf } from "./kernel-version.ts";

/**
 * Which form of the kernel's change_page_attr code (CPA) runs here, named by the first version
 * that had it. `2.6.28`: flush of a split after pgd_lock. `4.20`: inside it. `6.15`: large pages
 * collapse again, without cpa_lock. `2026-fixes`: under cpa_lock. `none`: not an x86 kernel.
 * Source: arch/x86/mm/pat/set_memory.c; commits c0a759abf5a6 (2018), 1aac65f3e651 (July 2026).
 */
export type CpaGeneration =
  | "none"
  | "before-2.6.28"
  | "2.6.28"
  | "4.20"
  | "6.15"
  | "2026-fixes"
  | "unknown";

export interface CpaVerdict {
  readonly generation: CpaGeneration;
  /** Whether the fixes of 2026 are in; stable branches took them without a new version. */
  readonly fixes2026: "present" | "absent" | "unknown";
  /** Whether debug_pagealloc makes this kernel leave cpa_lock out, as it did before the fixes. */
  readonly skipsCpaLock: Ability;
  readonly evidence: readonly string[];
}

export function cpaGeneration(readings: HostReadings): CpaVerdict {
  const kernel = known(readings.kernel);
  if (kernel === undefined) {
    return { generation: "unknown", fixes2026: "unknown", skipsCpaLock: "unknown", evidence: [] };
  }
  if (kernel.arch !== "x86_64" && !/^i.86$/.test(kernel.arch)) {
    const evidence = [`machine ${kernel.arch}`];
    return { generation: "none", fixes2026: "absent", skipsCpaLock: "no", evidence };
  }
  const byVersion = generationOfVersion(kernel.release);
  const collapse = collapseEvidence(readings);
  const evidence = [`version ${kernel.release}`, ...collapse.seen];
  const backported = collapse.has === true && ["2.6.28", "4.20"].includes(byVersion);
  if (backported) evidence.push("collapse is older than this version: the distribution added it");
  if (collapse.has === false && byVersion === "6.15") {
    evidence.push("collapse belongs to this version, yet nothing of it is seen");
  }
  const generation = backported ? "6.15" : byVersion;
  const fixes2026 = fixesOf2026(generation, kernel, evidence);
  const debug = kernel.parameters.some((word) => /^debug_pagealloc=(on|1)$/.test(word));
  if (debug) evidence.push("debug_pagealloc=on on the command line");
  const skipsCpaLock = debug ? SKIPS_UNLESS_FIXED[fixes2026] : "no";
  return { generation, fixes2026, skipsCpaLock, evidence };
}

const SKIPS_UNLESS_FIXED = { present: "no", absent: "yes", unknown: "unknown" } as const;

function generationOfVersion(release: string): CpaGeneration {
  const version = versionOf(release);
  if (version === undefined) return "unknown";
  if (atLeast(version, 7, 3)) return "2026-fixes";
  if (atLeast(version, 6, 15)) return "6.15";
  if (atLeast(version, 4, 20)) return "4.20";
  return atLeast(version, 3, 0) || /^2\.6\.(2[89]|3\d)/.test(release) ? "2.6.28" : "before-2.6.28";
}

/** Signs of collapse: its counter and its function came together, in 6.15. */
function collapseEvidence(readings: HostReadings): { has?: boolean; seen: string[] } {
  const counters = known(readings.directMap);
  const kallsyms = known(readings.kallsyms);
  const counted = counters && counters.level2Collapses !== undefined;
  const named = kallsyms?.names.includes("collapse_large_pages");
  const seen: string[] = [];
  if (counted !== undefined) {
    seen.push(`direct_map_level2_collapses ${counted ? "" : "not "}in /proc/vmstat`);
  }
  // A function that was inlined has no name: only its presence says something.
  if (named === true) seen.push("collapse_large_pages in kallsyms");
  if (counted === undefined && named !== true) return { seen };
  return { has: counted === true || named === true, seen };
}

/** The first of the fixes entered the tip tree on this day (commits 1aac65f3e651, 5fce67641a3e). */
const FIXES_2026_DAY = "2026-07-15";

function fixesOf2026(
  generation: CpaGeneration,
  kernel: KernelReading,
  evidence: string[],
): CpaVerdict["fixes2026"] {
  if (generation === "2026-fixes") return "present";
  const built = buildDay(kernel.build);
  if (built === undefined || built >= FIXES_2026_DAY) return "unknown";
  evidence.push(`built ${built}, before the fixes of July 2026`);
  return "absent";
}

/**
 * The day in `uname -v`, as `2024-08-30`:
 * `#1 SMP PREEMPT_DYNAMIC Debian 6.1.192-2 (2026-11-16)` (Debian: the day of its changelog) or
 * `#45-Ubuntu SMP PREEMPT_DYNAMIC Fri Aug 30 12:02:04 UTC 2024`. Some builders write none.
 */
function buildDay(build: string): string | undefined {
  const iso = /\((\d{4}-\d\d-\d\d)\)/.exec(build);
  if (iso) return iso[1];
  const date = /\b([A-Z][a-z]{2}) +(\d{1,2}) [\d:]{8} (?:[A-Z]+ )?(\d{4})$/.exec(build);
  const month = date ? MONTHS.indexOf(date[1]!) + 1 : 0;
  if (!date || month === 0) return undefined;
  return `${date[3]}-${String(month).padStart(2, "0")}-${date[2]!.padStart(2, "0")}`;
}

const MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(" ");
