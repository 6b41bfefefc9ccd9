import { readFileSync } from "node:fs";
import { assert } from "../../core/assert.ts";
import type { DirectMapCounters } from "../../core/facts/direct-map-counters.ts";

export function readDirectMapCounters(): DirectMapCounters {
  return parseDirectMapCounters(
    readFileSync("/proc/meminfo", "utf8"),
    readFileSync("/proc/vmstat", "utf8"),
  );
}

/** What the kernel thinks can be had without swapping. */
export function readMemAvailableBytes(): number {
  const kib: number | undefined = keyed(readFileSync("/proc/meminfo", "utf8")).get("MemAvailable");
  assert(kib !== undefined, "/proc/meminfo has MemAvailable (since Linux 3.14)");
  return kib * 1024;
}

/**
 * @param meminfo  `DirectMap2M:     2029568 kB`; x86 and s390 only (arch/x86/mm/pat/set_memory.c)
 * @param vmstat  `direct_map_level2_splits 23`; splits since 5.13, collapses since 6.15
 */
export function parseDirectMapCounters(meminfo: string, vmstat: string): DirectMapCounters {
  const kib = keyed(meminfo);
  const counts = keyed(vmstat);
  const bytes = (key: string) => {
    const value = kib.get(key);
    return value === undefined ? undefined : value * 1024;
  };
  return onlyPresent({
    map4kBytes: bytes("DirectMap4k"),
    map2mBytes: bytes("DirectMap2M"),
    map1gBytes: bytes("DirectMap1G"),
    level2Splits: counts.get("direct_map_level2_splits"),
    level3Splits: counts.get("direct_map_level3_splits"),
    level2Collapses: counts.get("direct_map_level2_collapses"),
    level3Collapses: counts.get("direct_map_level3_collapses"),
  });
}

function onlyPresent(
  counters: Record<keyof DirectMapCounters, number | undefined>,
): DirectMapCounters {
  return Object.fromEntries(
    Object.entries(counters).filter(([, value]) => value !== undefined),
  ) as DirectMapCounters;
}

/** `Key:   123 kB` and `key 123` alike. */
function keyed(text: string): Map<string, number> {
  return new Map(
    [...text.matchAll(/^([^\s:]+):?\s+(\d+)/gm)].map(([, key, value]) => [key!, Number(value)]),
  );
}
