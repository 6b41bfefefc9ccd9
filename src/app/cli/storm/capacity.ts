import { BootstormError, EXIT } from "../../../core/error.ts";
import { formatBytes } from "../../../core/units.ts";

/** What a round of that many VMs asks of the host. */
export interface Demand {
  readonly vms: number;
  readonly vcpus: number;
  readonly memoryBytes: number;
}

export interface Host {
  readonly cpus: number;
  readonly memAvailableBytes: number;
}

/**
 * What a VMM takes beside the guest's memory: its own code and data, and for an emulated guest the
 * translated code. QEMU 7.2 was seen to take 50 to 60 MiB.
 */
const VMM_BYTES = 64 * 2 ** 20;
/** The rest stays for the host. */
const MEMORY_SHARE_MAX = 0.8;
/** Beyond it boots wait longer for a CPU than guests' own watchdogs allow. */
const VCPUS_PER_CPU_MAX = 32;

/**
 * Refuses a storm that the host cannot hold, before anything starts.
 * @throws BootstormError STORM_TOO_LARGE with the arithmetic
 */
export function requireCapacity(demand: Demand, host: Host): void {
  const { vms, vcpus, memoryBytes } = demand;
  const problems: string[] = [];
  const needed = vms * (memoryBytes + VMM_BYTES);
  const allowed = host.memAvailableBytes * MEMORY_SHARE_MAX;
  if (needed > allowed) {
    problems.push(
      `${vms} VMs × (${formatBytes(memoryBytes)} + ${formatBytes(VMM_BYTES)} for the VMM) = ` +
        `${formatBytes(needed)}, more than ${MEMORY_SHARE_MAX * 100} % of the ` +
        `${formatBytes(host.memAvailableBytes)} that are available`,
    );
  }
  if (vms * vcpus > host.cpus * VCPUS_PER_CPU_MAX) {
    problems.push(
      `${vms} VMs × ${vcpus} vCPU${vcpus === 1 ? "" : "s"} on ${host.cpus} CPUs = ` +
        `${Math.ceil((vms * vcpus) / host.cpus)} vCPUs a CPU, more than ${VCPUS_PER_CPU_MAX}`,
    );
  }
  if (problems.length === 0) return;
  const most = Math.max(
    1,
    Math.min(
      Math.floor(allowed / (memoryBytes + VMM_BYTES)),
      Math.floor((host.cpus * VCPUS_PER_CPU_MAX) / vcpus),
    ),
  );
  throw new BootstormError("STORM_TOO_LARGE", `${vms} VMs are too many for this host`, {
    why: problems.join("; "),
    remedies: [`ask for at most ${most}`, "--force starts them all the same"],
    exit: EXIT.usage,
  });
}
