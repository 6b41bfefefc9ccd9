import { release } from "node:os";
import { getSystemErrorName } from "node:util";
import type { BootstormError } from "../../core/error.ts";
import { loadLibc, SYSCALL } from "../exec/libc.ts";
import { noMemfdSecret } from "./failure.ts";

export type SecretmemSupport =
  | { readonly usable: true }
  | { readonly usable: false; readonly error: BootstormError };

/**
 * Is memfd_secret(2) usable here? Makes one empty file and closes it: no page leaves the direct map.
 * @throws BootstormError NO_KOFFI
 */
export function probeSecretmem(): SecretmemSupport {
  const libc = loadLibc();
  const fd = libc.syscall(SYSCALL.memfdSecret, 0);
  if (fd < 0) {
    return { usable: false, error: noMemfdSecret(getSystemErrorName(-libc.errno()), release()) };
  }
  libc.close(fd);
  return { usable: true };
}
