import type { DirectMapCounters } from "../../core/facts/direct-map-counters.ts";
import { readText } from "./file.ts";

/**
 * /proc/meminfo: `DirectMap2M:     2029568 kB`. /proc/vmstat: `direct_map_level2_splits 23`, since
 * 5.13, and `direct_map_level2_collapses 0`, since 6.15.
 */
export function readDirectMap(root: string): DirectMapCounters {
  const meminfo = readText(root, "/proc/meminfo");
  const vmstat = readText(root, "/proc/vmstat");
  const bytes = (name: string) => {
    const kib = new RegExp(`^${name}: +(\\d+) kB$`, "m").exec(meminfo)?.[1];
    return kib === undefined ? undefined : Number(kib) * 1024;
  };
  const count = (name: string) => {
    const value = new RegExp(`^${name} (\\d+)$`, "m").exec(vmstat)?.[1];
    return value === undefined ? undefined : Number(value);
  };
  const all: Record<keyof DirectMapCounters, number | undefined> = {
    map4kBytes: bytes("DirectMap4k"),
    map2mBytes: bytes("DirectMap2M"),
    map1gBytes: bytes("DirectMap1G"),
    level2Splits: count("direct_map_level2_splits"),
    level3Splits: count("direct_map_level3_splits"),
    level2Collapses: count("direct_map_level2_collapses"),
    level3Collapses: count("direct_map_level3_collapses"),
  };
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined));
}
