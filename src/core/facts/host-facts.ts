// What a host can do, decided from what was read on it: each fact with its evidence and remedy.
// `host/probe` reads and judges nothing; here nothing is read.
import { formatBytes, formatCount } from "../units.ts";
import { type CpaGeneration, cpaGeneration } from "./cpa-generation.ts";
import { list, notKnown } from "./fact-words.ts";
import { kvmFact, qemuFact, snpFact } from "./guest-facts.ts";
import type { HostFact } from "./host-fact.ts";
import {
  type Capability,
  type HostReadings,
  isUnreadable,
  type KernelReading,
  known,
} from "./host-readings.ts";
import { atLeast, type Version, versionOf } from "./kernel-version.ts";
import {
  bpftraceFact,
  kallsymsFact,
  perfFact,
  spinlockFact,
  tracepointFact,
} from "./recording-facts.ts";

export { type CpaGeneration, type CpaVerdict, cpaGeneration } from "./cpa-generation.ts";
export { type Abilities, hostAbilities, hostCaveats, hostSummary } from "./host-abilities.ts";
export type { HostReadings } from "./host-readings.ts";
export { type SpinlockVisibility, spinlockVisibility } from "./spinlock-visibility.ts";
/** One fact a subject, in the order a reader needs them. */
export function hostFacts(readings: HostReadings): readonly HostFact[] {
  return [
    kernelFact(readings),
    secretmemFact(readings),
    memlockFact(readings),
    tracepointFact(readings),
    spinlockFact(readings),
    kallsymsFact(readings),
    perfFact(readings),
    bpftraceFact(readings),
    qemuFact(readings),
    kvmFact(readings),
    snpFact(readings),
    directMapFact(readings),
    cpuFact(readings),
    cgroupFact(readings),
  ];
}

const CPA_WORDS: Readonly<Record<CpaGeneration, string>> = {
  none: "no change_page_attr code: that is x86's",
  "before-2.6.28": "CPA of before 2.6.28: no cpa_lock yet",
  "2.6.28": "CPA of 2.6.28 to 4.19: splits flush outside pgd_lock",
  "4.20": "CPA of 4.20 to 6.14: splits flush inside pgd_lock",
  "6.15": "CPA of 6.15 to 7.2: large pages collapse without cpa_lock",
  "2026-fixes": "CPA with the fixes of 2026: collapse under cpa_lock",
  unknown: "CPA generation not known",
};

function kernelFact(readings: HostReadings): HostFact {
  const base = { id: "kernel", title: "Linux kernel" };
  const { kernel } = readings;
  if (isUnreadable(kernel)) return notKnown(base, kernel, "is /proc mounted?");
  const { generation, fixes2026, skipsCpaLock, evidence } = cpaGeneration(readings);
  const words = [kernel.release, CPA_WORDS[generation]];
  if (skipsCpaLock !== "no" && generation !== "unknown") {
    words.push(
      `cpa_lock is ${skipsCpaLock === "yes" ? "" : "perhaps "}not taken (debug_pagealloc)`,
    );
  }
  const open =
    fixes2026 === "unknown" && generation !== "unknown"
      ? "; nothing tells whether the fixes of 2026 were added to it"
      : "";
  const found = { ...base, found: words.join("; "), evidence: evidence.join(", ") + open };
  if (generation !== "none") return { ...found, state: "info" };
  return {
    ...found,
    state: "missing",
    evidence: `${found.evidence}. No remedy: cpa_lock is on x86 only`,
  };
}

function secretmemFact(readings: HostReadings): HostFact {
  const base = { id: "memfd-secret", title: "memfd_secret" };
  const { secretmem } = readings;
  if (isUnreadable(secretmem)) {
    return notKnown(base, secretmem, "npm install koffi (it makes the system call)");
  }
  if (secretmem.usable) {
    return { ...base, state: "ok", found: "usable", evidence: "system call 447 gave a file" };
  }
  const evidence = `system call 447 answered ${secretmem.errno ?? "an error"}`;
  if (secretmem.errno !== "ENOSYS") {
    const remedy = "run outside this container, or allow memfd_secret in its seccomp profile";
    return { ...base, state: "missing", found: "forbidden", evidence, remedy };
  }
  const kernel = known(readings.kernel);
  const [found, remedy] = secretmemOff(versionOf(kernel?.release ?? ""), kernel?.config);
  return { ...base, state: "missing", found, evidence, remedy };
}

/** Source: mm/secretmem.c; in Linux since 5.14, on without being asked since 6.5. */
function secretmemOff(
  version: Version | undefined,
  config: KernelReading["config"],
): [found: string, remedy: string] {
  if (version !== undefined && !atLeast(version, 5, 14)) {
    return ["not in this kernel", "boot a kernel of 5.14 or later"];
  }
  if (config?.SECRETMEM === "n") {
    return ["not built into this kernel", "boot a kernel with CONFIG_SECRETMEM=y"];
  }
  return ["off", "add secretmem.enable=1 to the kernel command line and reboot"];
}

const PAGE_BYTES = 4096;
/** From here on more pages no longer make a measurement better. */
const MEMLOCK_PLENTY_BYTES = 64 * 1024 * 1024;

function memlockFact(readings: HostReadings): HostFact {
  const base = { id: "memory-lock", title: "memory-lock limit" };
  const { process } = readings;
  if (isUnreadable(process)) return notKnown(base, process, "is /proc mounted?");
  const { memlockSoftBytes: soft, memlockHardBytes: hard } = process;
  const holds = (capability: Capability) => process.capabilities.includes(capability);
  const held = (capability: Capability) => (holds(capability) ? "held" : "not held");
  const words = soft === hard ? sizeOf(soft) : `${sizeOf(soft)}, may be raised to ${sizeOf(hard)}`;
  const evidence = `RLIMIT_MEMLOCK in /proc/self/limits; CAP_SYS_RESOURCE ${held("SYS_RESOURCE")}, CAP_IPC_LOCK ${held("IPC_LOCK")}`;
  if (hard === "unlimited" || hard >= MEMLOCK_PLENTY_BYTES || holds("SYS_RESOURCE")) {
    const found = holds("SYS_RESOURCE") && soft !== "unlimited" ? `${words}, ours to raise` : words;
    return { ...base, state: "ok", found, evidence };
  }
  const cpuCount = known(readings.cpus)?.onlineCount ?? 1;
  const pages = formatCount(Math.floor(hard / PAGE_BYTES / cpuCount));
  return {
    ...base,
    state: "limited",
    found: `${words}: ${pages} pages for each of ${cpuCount} processes`,
    evidence,
    remedy:
      "raise it where this session starts: ulimit -l unlimited as root, LimitMEMLOCK=infinity in a systemd unit, --ulimit memlock=-1 for a container",
  };
}

function sizeOf(bytes: number | "unlimited"): string {
  return bytes === "unlimited" ? bytes : formatBytes(bytes);
}

function directMapFact(readings: HostReadings): HostFact {
  const base = { id: "direct-map", title: "direct map" };
  const { directMap: map } = readings;
  if (isUnreadable(map)) return notKnown(base, map, "is /proc mounted?");
  const sizes = (
    [
      [map.map4kBytes, "4K"],
      [map.map2mBytes, "2M"],
      [map.map1gBytes, "1G"],
    ] as const
  ).flatMap(([bytes, level]) => (bytes === undefined ? [] : [`${formatBytes(bytes)} in ${level}`]));
  const count = (value: number | undefined) => (value === undefined ? "?" : formatCount(value));
  const splits =
    map.level2Splits === undefined
      ? ""
      : `; splits since boot: ${count(map.level2Splits)} of 2M, ${count(map.level3Splits)} of 1G`;
  const collapses =
    map.level2Collapses === undefined
      ? ""
      : `; collapses: ${count(map.level2Collapses)} and ${count(map.level3Collapses)}`;
  if (sizes.length === 0) {
    return { ...base, state: "info", found: "not told", evidence: "no DirectMap in /proc/meminfo" };
  }
  return {
    ...base,
    state: "info",
    found: `${list(sizes, "and")} pages${splits}${collapses}`,
    evidence: `DirectMap in /proc/meminfo, direct_map_level in /proc/vmstat${splits === "" ? " (none before Linux 5.13)" : ""}`,
  };
}

function cpuFact(readings: HostReadings): HostFact {
  const base = { id: "cpus", title: "CPUs" };
  const { cpus } = readings;
  if (isUnreadable(cpus)) return notKnown(base, cpus, "is /proc mounted?");
  const count = (n: number, one: string) => `${n} ${one}${n === 1 ? "" : "s"}`;
  const under = cpus.flags.includes("hypervisor")
    ? `, a guest of ${cpus.hypervisor ?? "some hypervisor"}`
    : "";
  const found = `${count(cpus.onlineCount, "CPU")} in ${count(cpus.numaNodeCount, "NUMA node")}, ${cpus.model}${under}`;
  const evidence = `/proc/cpuinfo, /sys/devices/system; SMT ${cpus.smt === undefined ? "not told" : cpus.smt.replace("not", "not ")}`;
  if (cpus.onlineCount > 1) return { ...base, state: "ok", found, evidence };
  const remedy = "lock contention needs two CPUs at least: give this machine another";
  return { ...base, state: "limited", found, evidence, remedy };
}

function cgroupFact(readings: HostReadings): HostFact {
  const base = { id: "cgroup", title: "cgroup v2" };
  const { cgroup } = readings;
  if (isUnreadable(cgroup)) return notKnown(base, cgroup, "is /proc mounted?");
  const missing = ["cpu", "memory"].filter((name) => !cgroup.controllers.includes(name));
  const has = cgroup.controllers.length > 0 ? list(cgroup.controllers, "and") : "none";
  const remedy =
    "boot with systemd.unified_cgroup_hierarchy=1, or without systemd: cgroup_no_v1=all";
  if (cgroup.v2Path === undefined) {
    const found = cgroup.mode === "v1" ? "not mounted, version 1 only" : "not mounted";
    return { ...base, state: "missing", found, evidence: "/proc/self/mounts", remedy };
  }
  const evidence = `${cgroup.v2Path}/cgroup.controllers: ${has}`;
  if (missing.length === 0) {
    const found = `${cgroup.mode === "hybrid" ? "hybrid" : "unified"}, with cpu and memory`;
    return { ...base, state: "ok", found, evidence };
  }
  const found =
    cgroup.mode === "hybrid"
      ? `hybrid: version 1 has ${list(missing, "and")}`
      : `without ${list(missing, "and")}`;
  return { ...base, state: "limited", found, evidence, remedy };
}
