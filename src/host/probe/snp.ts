import type { SnpReading } from "../../core/facts/host-readings.ts";
import { isThere, readIfThere } from "./file.ts";

export function readSnp(root: string): SnpReading {
  const kvmParameter = readIfThere(root, "/sys/module/kvm_amd/parameters/sev_snp");
  return {
    ...(kvmParameter === undefined ? {} : { kvmParameter }),
    sevDevice: isThere(root, "/dev/sev"),
    guestDevice: isThere(root, "/dev/sev-guest"),
  };
}
