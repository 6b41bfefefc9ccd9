import { readdirSync } from "node:fs";
import { join } from "node:path";
import type { CpuReading } from "../../core/facts/host-readings.ts";
import { readIfThere, readText } from "./file.ts";

const FLAGS = ["hypervisor", "svm", "vmx", "sev", "sev_es", "sev_snp"];

/** Machines with other processors than x86 have no model name, vendor or flags in /proc/cpuinfo. */
export function readCpus(root: string): CpuReading {
  const cpuinfo = readText(root, "/proc/cpuinfo");
  const field = (name: string) => new RegExp(`^${name}\\s*: *(.*)$`, "m").exec(cpuinfo)?.[1];
  const online = readIfThere(root, "/sys/devices/system/cpu/online");
  const smt = readIfThere(root, "/sys/devices/system/cpu/smt/control");
  const hypervisor = hypervisorOf(root);
  const flags = new Set(field("flags")?.split(" "));
  return {
    model: field("model name")?.trim() ?? "unknown",
    vendor: field("vendor_id") ?? "unknown",
    onlineCount: online ? countOf(online) : (cpuinfo.match(/^processor\s*:/gm)?.length ?? 0),
    numaNodeCount: Math.max(1, nodesOf(root)),
    ...(smt === undefined ? {} : { smt }),
    flags: FLAGS.filter((flag) => flags.has(flag)),
    ...(hypervisor === undefined ? {} : { hypervisor }),
  };
}

/** `0-3,8` → 5. */
function countOf(cpuList: string): number {
  return cpuList.split(",").reduce((sum, range) => {
    const [first = 0, last = first] = range.split("-").map(Number);
    return sum + last - first + 1;
  }, 0);
}

function nodesOf(root: string): number {
  try {
    const entries = readdirSync(join(root, "/sys/devices/system/node"));
    return entries.filter((name) => /^node\d+$/.test(name)).length;
  } catch {
    return 0; // a kernel without CONFIG_NUMA: one node, without a name
  }
}

/** A guest's clocks and its firmware's maker give the hypervisor away, without CPUID or root. */
function hypervisorOf(root: string): string | undefined {
  const clocks =
    readIfThere(root, "/sys/devices/system/clocksource/clocksource0/available_clocksource") ?? "";
  if (clocks.includes("kvm-clock")) return "KVM";
  if (clocks.includes("hyperv")) return "Hyper-V";
  if (clocks.includes("xen")) return "Xen";
  const maker = readIfThere(root, "/sys/class/dmi/id/sys_vendor") ?? "";
  return maker.startsWith("VMware") ? "VMware" : undefined;
}
