import { getSystemErrorName } from "node:util";
import { BootstormError } from "../../core/error.ts";
import type { Reading, SecretmemReading } from "../../core/facts/host-readings.ts";
import { type Libc, loadLibc, SYSCALL } from "../exec/libc.ts";

/**
 * Calls memfd_secret(2) and closes what it gives: no page is touched, so none leaves the direct map.
 * @param load  gives the C library
 */
export function readSecretmem(
  load: () => Pick<Libc, "syscall" | "close" | "errno"> = loadLibc,
): Reading<SecretmemReading> {
  try {
    const libc = load();
    const fd = libc.syscall(SYSCALL.memfdSecret, 0);
    if (fd < 0) return { usable: false, errno: getSystemErrorName(-libc.errno()) };
    libc.close(fd);
    return { usable: true };
  } catch (error) {
    if (error instanceof BootstormError) return { unreadable: error.why };
    throw error;
  }
}
