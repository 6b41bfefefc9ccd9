// What `host/probe` reads on a host, before anybody judges it. A reading that could not be had is
// `{ unreadable: why }`: it is never taken for "no", and never for "yes".
import type { DirectMapCounters } from "./direct-map-counters.ts";

export interface Unreadable {
  readonly unreadable: string;
}

export type Reading<T> = T | Unreadable;

/** Everything `doctor` looks at, as it was read. */
export interface HostReadings {
  readonly kernel: Reading<KernelReading>;
  readonly settings: Reading<SettingsReading>;
  readonly process: Reading<ProcessReading>;
  readonly cpus: Reading<CpuReading>;
  readonly directMap: Reading<DirectMapCounters>;
  readonly secretmem: Reading<SecretmemReading>;
  readonly tracing: Reading<TracingReading>;
  readonly kallsyms: Reading<KallsymsReading>;
  readonly kernelLog: Reading<KernelLogReading>;
  readonly perf: Reading<ProgramReading>;
  readonly bpftrace: Reading<ProgramReading>;
  readonly qemu: Reading<ProgramReading>;
  readonly kvm: Reading<KvmReading>;
  readonly snp: Reading<SnpReading>;
  readonly cgroup: Reading<CgroupReading>;
}

export interface KernelReading {
  /** `uname -r`: `6.1.0-49-cloud-amd64`. */
  readonly release: string;
  /** `uname -v`: `#1 SMP PREEMPT_DYNAMIC Debian 6.1.192-2 (2026-11-16)`. */
  readonly build: string;
  /** `uname -m`: `x86_64`. */
  readonly arch: string;
  /** Those words of the kernel command line that bear on what we measure. */
  readonly parameters: readonly string[];
  /** Build options that bear on it, without `CONFIG_`: "y", "m" or "n". Absent: no file tells. */
  readonly config?: Readonly<Record<string, string>>;
  /** Types of the kernel for BPF programs, in /sys/kernel/btf/vmlinux. */
  readonly btf: boolean;
}

/** Kernel settings that give or take permissions; those that do not exist here are absent. */
export interface SettingsReading {
  readonly kptrRestrict?: number;
  readonly perfEventParanoid?: number;
  readonly dmesgRestrict?: number;
  readonly lockdown?: "none" | "integrity" | "confidentiality";
}

/** What this process may do. */
export interface ProcessReading {
  readonly uid: number;
  /** Effective capabilities, of those that matter here, without `CAP_`. */
  readonly capabilities: readonly Capability[];
  readonly memlockSoftBytes: number | "unlimited";
  readonly memlockHardBytes: number | "unlimited";
}

export type Capability =
  | "DAC_OVERRIDE"
  | "IPC_LOCK"
  | "SYS_ADMIN"
  | "SYS_RESOURCE"
  | "SYSLOG"
  | "PERFMON"
  | "BPF";

export interface CpuReading {
  readonly model: string;
  readonly vendor: string;
  readonly onlineCount: number;
  readonly numaNodeCount: number;
  /** `on`, `off`, `notsupported` …, as the kernel says; absent where it does not. */
  readonly smt?: string;
  /** Of /proc/cpuinfo, those that matter here. */
  readonly flags: readonly string[];
  /** Who runs this machine, when something tells: `KVM`, `Xen`, `Hyper-V`, `VMware`. */
  readonly hypervisor?: string;
}

/** Answer of memfd_secret(2), really called. */
export interface SecretmemReading {
  readonly usable: boolean;
  /** `ENOSYS` …, when it is not. */
  readonly errno?: string;
}

export interface TracingReading {
  /** The kernel knows tracefs. */
  readonly inKernel: boolean;
  /** Where tracefs is mounted, or reachable through debugfs. */
  readonly mounts: readonly string[];
  /** Of the first mount: is lock:contention_begin there? Absent: not mounted, or not ours to see. */
  readonly contentionEvents?: boolean;
  /** Of the first mount: may this process make an instance? */
  readonly instancesWritable?: boolean;
}

export interface KallsymsReading {
  readonly lines: number;
  /** False when all addresses this process sees are zero. */
  readonly addresses: boolean;
  /** True when the kernel names its data too (CONFIG_KALLSYMS_ALL). */
  readonly dataSymbols: boolean;
  /** Which of the names we look for are there. */
  readonly names: readonly string[];
}

export interface KernelLogReading {
  /** Where it was read. */
  readonly source: string;
  /** False when the kernel has overwritten the beginning: then a missing line says nothing. */
  readonly fromBoot: boolean;
  /** The lines about spinlocks, hypervisors and memory encryption. */
  readonly lines: readonly string[];
}

export type ProgramReading =
  | { readonly installed: true; readonly version: string }
  | { readonly installed: false };

export interface KvmReading {
  readonly device: "absent" | "denied" | "opened";
  /** Why no guest was booted, when none was. */
  readonly notBooted?: string;
  /** The kernel the guests were given. */
  readonly kernelImage?: string;
  /** In the order they were tried; a TCG guest is the control: same guest, no KVM. */
  readonly guests: readonly GuestRun[];
}

export interface GuestRun {
  readonly accel: "kvm" | "tcg";
  readonly cpu: string;
  /** `progress`: the firmware said who it is. */
  readonly firmware: "progress" | "none";
  /** `progress`: the kernel printed its version. */
  readonly kernel: "progress" | "none" | "not-tried";
  readonly exit: "exited" | "signalled" | "timeout" | "missing";
  readonly code?: number;
  readonly limitMs: number;
  readonly elapsedMs: number;
  /** The last line the guest printed. */
  readonly lastLine?: string;
  /** What QEMU itself complained of. */
  readonly complaint?: string;
}

export interface SnpReading {
  /** /sys/module/kvm_amd/parameters/sev_snp, such as `Y`; absent without the module. */
  readonly kvmParameter?: string;
  /** /dev/sev: the way to AMD's security processor. */
  readonly sevDevice: boolean;
  /** /dev/sev-guest: this machine is itself an SNP guest. */
  readonly guestDevice: boolean;
}

export interface CgroupReading {
  readonly mode: "unified" | "hybrid" | "v1" | "none";
  /** Where version 2 is mounted. */
  readonly v2Path?: string;
  /** Controllers that version 2 has at its root. */
  readonly controllers: readonly string[];
}

export function isUnreadable<T>(reading: Reading<T>): reading is Unreadable {
  return typeof reading === "object" && reading !== null && "unreadable" in reading;
}

export function known<T>(reading: Reading<T>): T | undefined {
  return isUnreadable(reading) ? undefined : reading;
}
