/** `DirectMap*` of /proc/meminfo and `direct_map_level*` of /proc/vmstat; absent where the kernel has none. */
export interface DirectMapCounters {
  readonly map4kBytes?: number;
  readonly map2mBytes?: number;
  readonly map1gBytes?: number;
  readonly level2Splits?: number;
  readonly level3Splits?: number;
  readonly level2Collapses?: number;
  readonly level3Collapses?: number;
}
