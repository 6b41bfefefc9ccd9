// Which guests this host can start: QEMU, KVM, SEV-SNP.

import { formatNs } from "../units.ts";
import { type Ability, notInstalled, notKnown, unreadWords } from "./fact-words.ts";
import type { HostFact } from "./host-fact.ts";
import {
  type CpuReading,
  type GuestRun,
  type HostReadings,
  isUnreadable,
  type KvmReading,
  known,
  type ProgramReading,
  type SnpReading,
} from "./host-readings.ts";
import { atLeast, versionOf } from "./kernel-version.ts";

export function qemuFact(readings: HostReadings): HostFact {
  const base = { id: "qemu", title: "QEMU" };
  const { qemu } = readings;
  if (isUnreadable(qemu))
    return notKnown(base, qemu, "does it start? qemu-system-x86_64 --version");
  if (!qemu.installed) {
    return notInstalled(
      base,
      "qemu-system-x86_64",
      "qemu-system-x86 (Debian, Ubuntu), qemu-kvm (Fedora)",
    );
  }
  const found = qemuKnowsSnp(qemu)
    ? `${qemu.version}, knows SNP`
    : `${qemu.version}, SNP needs 9.1`;
  return { ...base, state: "ok", found, evidence: "qemu-system-x86_64 --version" };
}

/** Source: object sev-snp-guest, in QEMU since 9.1. */
function qemuKnowsSnp(qemu: ProgramReading): boolean {
  const version = qemu.installed ? versionOf(qemu.version) : undefined;
  return version !== undefined && atLeast(version, 9, 1);
}

export function kvmAbility(readings: HostReadings): Ability {
  const kvm = known(readings.kvm);
  if (kvm === undefined) return "unknown";
  if (kvm.device !== "opened") return "no";
  const guests = kvm.guests.filter((guest) => guest.accel === "kvm");
  if (guests.some((guest) => guest.kernel === "progress")) return "yes";
  // A guest that even without KVM shows nothing says nothing about KVM.
  return guests.length > 0 && !controlFailed(kvm) && guests.every(stopped) ? "no" : "unknown";
}

function stopped(guest: GuestRun): boolean {
  return guest.firmware === "none" || guest.kernel === "none";
}

function controlFailed(kvm: KvmReading): boolean {
  const control = kvm.guests.find((guest) => guest.accel === "tcg");
  return control !== undefined && stopped(control);
}

const USE_TCG = "boot emulated guests instead: -accel tcg";

export function kvmFact(readings: HostReadings): HostFact {
  const base = { id: "kvm", title: "KVM" };
  const { kvm } = readings;
  if (isUnreadable(kvm)) return notKnown(base, kvm, `until then, ${USE_TCG}`);
  if (kvm.device === "absent") {
    const evidence = "no /dev/kvm";
    return { ...base, state: "missing", found: "not here", evidence, remedy: kvmAbsent(readings) };
  }
  if (kvm.device === "denied") {
    return {
      ...base,
      state: "missing",
      found: "not permitted",
      evidence: "/dev/kvm cannot be opened by this process",
      remedy:
        "run as root, or join the group of /dev/kvm (kvm on most hosts) and log in again: sudo usermod -aG kvm $USER",
    };
  }
  if (kvm.guests.length === 0) {
    const found = `opens, but no guest was booted: ${kvm.notBooted ?? "not asked for"}`;
    const remedy =
      known(readings.qemu)?.installed === true
        ? "only a guest tells: run doctor without --no-kvm"
        : "only a guest tells: install QEMU";
    return { ...base, state: "limited", found, evidence: "/dev/kvm opens", remedy };
  }
  return { ...base, ...kvmOfGuests(kvm, kvmAbility(readings)) };
}

function kvmAbsent(readings: HostReadings): string {
  const flags = known(readings.cpus)?.flags ?? [];
  if (flags.includes("svm")) return "modprobe kvm_amd";
  if (flags.includes("vmx")) return "modprobe kvm_intel";
  return flags.includes("hypervisor")
    ? `ask the host of this VM for nested virtualization, or ${USE_TCG}`
    : `turn on SVM or VT-x in the machine's firmware, or ${USE_TCG}`;
}

function kvmOfGuests(
  kvm: KvmReading,
  ability: Ability,
): Pick<HostFact, "state" | "found" | "evidence" | "remedy"> {
  const tried = kvm.kernelImage === undefined ? "" : `; kernel ${kvm.kernelImage}`;
  const evidence = kvm.guests.map(guestWords).join("; ") + tried;
  const good = kvm.guests.find((guest) => guest.accel === "kvm" && guest.kernel === "progress");
  if (good) return { state: "ok", found: `boots a guest kernel (-cpu ${good.cpu})`, evidence };
  if (ability === "no") {
    const ran = kvm.guests.some((guest) => guest.accel === "kvm" && guest.firmware === "progress");
    const found = ran
      ? "/dev/kvm opens and a guest's firmware runs, but its kernel makes no progress"
      : "/dev/kvm opens, but a guest makes no progress";
    return { state: "missing", found, evidence, remedy: USE_TCG };
  }
  return controlFailed(kvm)
    ? {
        state: "limited",
        found: "the probe guest boots neither with KVM nor without",
        evidence,
        remedy:
          "give a bootable kernel: bootstorm doctor --kernel FILE; or more time: --kvm-limit 60",
      }
    : {
        state: "limited",
        found: "a guest's firmware runs; no kernel was there to try",
        evidence,
        remedy: "name a kernel this user may read: bootstorm doctor --kernel /boot/vmlinuz-…",
      };
}

/** `KVM, -cpu host: reached nothing, QEMU was killed by a signal (error: failed to set MSR …)`. */
function guestWords(guest: GuestRun): string {
  const { accel, cpu, firmware, kernel, limitMs, elapsedMs, lastLine, complaint } = guest;
  const stage = kernel === "progress" ? "kernel" : firmware === "progress" ? "firmware" : "nothing";
  const reached = `${accel.toUpperCase()}, -cpu ${cpu}: reached ${stage}`;
  if (kernel === "progress") return `${reached}, over after ${formatNs(elapsedMs * 1e6)}`;
  const last = lastLine === undefined ? "" : ` after "${lastLine}"`;
  const end = {
    exited: `QEMU ended with status ${guest.code ?? "unknown"}`,
    signalled: "QEMU was killed by a signal",
    timeout: `stood still${last} until ${formatNs(limitMs * 1e6)} were over`,
    missing: "QEMU did not start",
  }[guest.exit];
  const why = complaint === undefined || guest.exit === "timeout" ? "" : ` (${complaint})`;
  return `${reached}, ${end}${why}`;
}

export interface SnpVerdict {
  readonly ability: Ability;
  readonly state: HostFact["state"];
  readonly found: string;
  readonly evidence: string;
  readonly remedy?: string;
}

/** `Memory Encryption Features active: AMD SEV SEV-ES SEV-SNP` */
const ACTIVE_IN_GUEST = /Memory Encryption Features active:.* SEV-SNP/;

/** The steps an SNP host needs, the first missing one named. KVM runs SNP guests since Linux 6.11. */
export function snpVerdict(readings: HostReadings): SnpVerdict {
  const snp = known(readings.snp);
  const cpus = known(readings.cpus);
  if (snp === undefined || cpus === undefined) {
    const why = unreadWords(isUnreadable(readings.snp) ? readings.snp : { unreadable: "no CPUs" });
    return { ability: "unknown", state: "limited", ...why, remedy: "is /sys mounted?" };
  }
  const missing = { ability: "no", state: "missing" } as const;
  const active = known(readings.kernelLog)?.lines.find((line) => ACTIVE_IN_GUEST.test(line));
  if (snp.guestDevice || active !== undefined) {
    const evidence = active === undefined ? "/dev/sev-guest" : `kernel log: "${active}"`;
    return {
      ...missing,
      found: "this machine is itself an SNP guest",
      evidence: `${evidence}. No remedy here: SNP guests are started on the bare host`,
    };
  }
  if (cpus.flags.includes("hypervisor")) {
    return {
      ...missing,
      found: "this machine is a VM",
      evidence: "hypervisor flag in /proc/cpuinfo. No remedy here: SNP needs the bare host",
    };
  }
  if (cpus.vendor !== "AuthenticAMD") {
    return {
      ...missing,
      found: "not an AMD CPU",
      evidence: `vendor ${cpus.vendor} in /proc/cpuinfo. No remedy: SNP needs AMD EPYC 7003 or later`,
    };
  }
  return snpOfAmdHost(readings, snp, cpus);
}

function snpOfAmdHost(readings: HostReadings, snp: SnpReading, cpus: CpuReading): SnpVerdict {
  const missing = { ability: "no", state: "missing" } as const;
  const log = known(readings.kernelLog)?.lines.find((line) => line.includes("SEV-SNP"));
  const parameter = `kvm_amd's parameter sev_snp is ${snp.kvmParameter ?? "not there"}`;
  const said = log === undefined ? "" : `, kernel log: "${log}"`;
  if (!cpus.flags.includes("sev_snp")) {
    return {
      ...missing,
      found: "not offered by the CPU",
      evidence: `no sev_snp flag in /proc/cpuinfo of ${cpus.model}`,
      remedy: "on EPYC 7003 or later, turn on SME, SNP and the RMP table in the machine's firmware",
    };
  }
  if (!/^(Y|1)$/.test(snp.kvmParameter ?? "")) {
    return {
      ...missing,
      found: "the CPU has it, KVM does not use it",
      evidence: parameter + said,
      remedy:
        "boot Linux 6.11 or later with iommu on and kvm_amd.sev=1 kvm_amd.sev_snp=1; reserve the RMP table in the firmware",
    };
  }
  const qemu = known(readings.qemu);
  if (!snp.sevDevice || qemu === undefined || !qemuKnowsSnp(qemu)) {
    return {
      ...missing,
      state: "limited",
      found: `KVM runs SNP guests, but ${snp.sevDevice ? "this QEMU does not start them" : "/dev/sev is not there"}`,
      evidence: parameter + said,
      remedy: snp.sevDevice ? "install QEMU 9.1 or later" : "modprobe ccp",
    };
  }
  const found = "KVM and QEMU can start SNP guests";
  return { ability: "yes", state: "ok", found, evidence: `${parameter}, /dev/sev${said}` };
}

export function snpFact(readings: HostReadings): HostFact {
  const { ability: _, ...words } = snpVerdict(readings);
  return { id: "snp", title: "AMD SEV-SNP", ...words };
}
