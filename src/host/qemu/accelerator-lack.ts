// What can be known without booting a guest: does this host lack something that an accelerator needs?
import { closeSync, constants, existsSync, openSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** Why an accelerator is not taken. */
export type RefusalReason =
  /** The CPU does not have it. */
  | "no-cpu-support"
  /** The kernel or one of its modules does not offer it. */
  | "not-enabled"
  | "no-device"
  | "not-permitted"
  | "qemu-too-old"
  /** OVMF for SNP is not where it usually is. */
  | "no-firmware"
  /** Where the C-bit is cannot be read. */
  | "no-c-bit"
  /** There is none that it could boot. */
  | "no-kernel"
  /** QEMU ended with an error or by a signal. */
  | "vmm-failed"
  /** The guest ended before its first process ran. */
  | "guest-ended"
  /** The guest's first process did not run within the limit. */
  | "timeout";

export interface Lack {
  readonly reason: RefusalReason;
  /** For people: what was read or seen. */
  readonly evidence: string;
}

/** @param root  where the host's file system begins; a folder of fixtures in the tests */
export function lackOfKvm(root: string): Lack | undefined {
  return lackOfDevice(root, "/dev/kvm");
}

/** KVM starts SNP guests since Linux 6.11, and says so in a parameter of its module. */
export function lackOfSnp(root: string): Lack | undefined {
  if (!/^flags\s*:.* sev_snp\b/m.test(textOf(root, "/proc/cpuinfo"))) {
    return { reason: "no-cpu-support", evidence: "no sev_snp flag in /proc/cpuinfo" };
  }
  const parameter = textOf(root, "/sys/module/kvm_amd/parameters/sev_snp").trim();
  if (!/^(Y|1)$/.test(parameter)) {
    const evidence = `kvm_amd's parameter sev_snp is ${parameter || "not there"}`;
    return { reason: "not-enabled", evidence };
  }
  return lackOfDevice(root, "/dev/sev") ?? lackOfDevice(root, "/dev/kvm");
}

function lackOfDevice(root: string, device: string): Lack | undefined {
  try {
    closeSync(openSync(join(root, device), constants.O_RDWR));
    return undefined;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    return code === "EACCES" || code === "EPERM"
      ? { reason: "not-permitted", evidence: `${device} cannot be opened by this process` }
      : { reason: "no-device", evidence: `${device}: ${code}` };
  }
}

/** Where distributions put OVMF for SNP: Debian and Ubuntu (ovmf-amdsev), Fedora (edk2-ovmf). */
const OVMF_PLACES = ["/usr/share/ovmf/OVMF.amdsev.fd", "/usr/share/edk2/ovmf/OVMF.amdsev.fd"];

export function findSnpFirmware(root: string): string | undefined {
  return OVMF_PLACES.map((path) => join(root, path)).find(existsSync);
}

function textOf(root: string, path: string): string {
  try {
    return readFileSync(join(root, path), "latin1");
  } catch {
    return ""; // Then it says nothing of what is looked for.
  }
}
