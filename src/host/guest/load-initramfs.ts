import type { Cache } from "../store/cache.ts";
import { packInitramfs } from "./initramfs.ts";

/** What kernel/load/init calls. */
const APPLETS = ["sh", "mount", "reboot", "sed", "cat", "tr", "stty"];

/**
 * Builds the initramfs of a guest that measures.
 * @param init  the text of kernel/load/init
 * @param cache  where it is put, once for each busybox and init
 * @returns its file
 * @throws BootstormError NO_BUSYBOX, CANNOT_WRITE
 */
export function buildLoadInitramfs(init: Uint8Array, cache: Cache): Promise<string> {
  return packInitramfs(cache, { init, applets: APPLETS });
}
