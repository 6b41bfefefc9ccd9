import { expect, test } from "vitest";
import { parseDirectMapCounters } from "./counters.ts";

test("counters of a 6.18 x86 host, KiB turned into bytes", () => {
  const meminfo = [
    "MemAvailable:   24336264 kB",
    "HugePages_Total:       0",
    "DirectMap4k:       67584 kB",
    "DirectMap2M:     2029568 kB",
    "DirectMap1G:    25165824 kB",
  ].join("\n");
  const vmstat = [
    "nr_free_pages 6036523",
    "direct_map_level2_splits 23",
    "direct_map_level3_splits 0",
    "direct_map_level2_collapses 0",
    "direct_map_level3_collapses 4",
  ].join("\n");
  expect(parseDirectMapCounters(meminfo, vmstat)).toEqual({
    map4kBytes: 67584 * 1024,
    map2mBytes: 2029568 * 1024,
    map1gBytes: 25165824 * 1024,
    level2Splits: 23,
    level3Splits: 0,
    level2Collapses: 0,
    level3Collapses: 4,
  });
});

test("what the kernel does not count is absent, not 0 (no 1G pages; no collapses before 6.15)", () => {
  expect(
    parseDirectMapCounters(
      "DirectMap4k: 8 kB\nDirectMap2M: 4 kB\n",
      "direct_map_level2_splits 1\n",
    ),
  ).toEqual({ map4kBytes: 8192, map2mBytes: 4096, level2Splits: 1 });
  expect(parseDirectMapCounters("MemTotal: 8 kB\n", "nr_free_pages 1\n")).toEqual({});
});
