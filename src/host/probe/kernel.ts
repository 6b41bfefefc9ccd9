import { readFileSync } from "node:fs";
import { machine } from "node:os";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import type { KernelReading } from "../../core/facts/host-readings.ts";
import { isThere, readIfThere, readText } from "./file.ts";

/** Other words of the command line may hold names and secrets of this host: they are not kept. */
const PARAMETERS =
  /^((xen_|hv_)?nopvspin|debug_pagealloc|secretmem\.enable|lockdown|nogbpages|kvm_amd\.\w+|amd_iommu|systemd\.unified_cgroup_hierarchy|cgroup_no_v1)(=|$)/;

const OPTIONS = ["KALLSYMS_ALL", "PARAVIRT", "PARAVIRT_SPINLOCKS", "PREEMPT_RT", "SECRETMEM"];

export function readKernel(root: string): KernelReading {
  const release = readText(root, "/proc/sys/kernel/osrelease").trimEnd();
  const config = readConfig(root, release);
  return {
    release,
    build: readText(root, "/proc/sys/kernel/version").trimEnd(),
    arch: readIfThere(root, "/proc/sys/kernel/arch") ?? machine(), // the file is there since 6.1
    parameters: (readIfThere(root, "/proc/cmdline") ?? "")
      .split(/\s+/)
      .filter((word) => PARAMETERS.test(word)),
    ...(config === undefined ? {} : { config: optionsOf(config) }),
    btf: isThere(root, "/sys/kernel/btf/vmlinux"),
  };
}

function readConfig(root: string, release: string): string | undefined {
  try {
    return gunzipSync(readFileSync(join(root, "/proc/config.gz"))).toString("utf8");
  } catch {
    return readIfThere(root, `/boot/config-${release}`);
  }
}

/** `CONFIG_PARAVIRT=y` or `# CONFIG_KALLSYMS_ALL is not set`; an option that is not there is "n". */
function optionsOf(config: string): Record<string, string> {
  return Object.fromEntries(
    OPTIONS.map((name) => [
      name,
      new RegExp(`^CONFIG_${name}=([ym])$`, "m").exec(config)?.[1] ?? "n",
    ]),
  );
}
