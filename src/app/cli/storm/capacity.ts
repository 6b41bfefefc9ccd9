import { BootstormError, EXIT } from "../../../core/error.ts";
import { counted } from "../../../core/report/words.ts";
import { formatBytes } from "../../../core/units.ts";

/** VMs of one group that exist at once, and what each of them has. */
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
export function requireCapacity(demands: readonly Demand[], host: Host): void {
  const { vms, problems, roomShare } = judge(demands, host);
  if (problems.length === 0) return;
  const most = Math.floor(vms * roomShare);
  throw new BootstormError("STORM_TOO_LARGE", `${vmsWords(vms)} at once: too much for this host`, {
    why: problems.join("; "),
    remedies: [
      most === 0 ? "give each guest less: guests[].memoryMiB, vcpus" : `at most ${most} at once`,
      "--force starts them all the same",
    ],
    exit: EXIT.usage,
  });
}

/** How many of these VMs the host can hold. */
export function roomFor(demands: readonly Demand[], host: Host): number {
  const { vms, roomShare } = judge(demands, host);
  return Math.floor(vms * Math.min(1, roomShare));
}

function judge(demands: readonly Demand[], host: Host) {
  const sum = (of: (demand: Demand) => number) =>
    demands.reduce((total, demand) => total + of(demand), 0);
  const vms = sum((demand) => demand.vms);
  const neededBytes = sum((demand) => demand.vms * (demand.memoryBytes + VMM_BYTES));
  const allowedBytes = host.memAvailableBytes * MEMORY_SHARE_MAX;
  const vcpus = sum((demand) => demand.vms * demand.vcpus);
  const allowedVcpus = host.cpus * VCPUS_PER_CPU_MAX;
  const problems = [
    ...(neededBytes > allowedBytes
      ? [
          `${demands.map(memoryWords).join(" + ")} = ${formatBytes(neededBytes)}, more than ` +
            `${MEMORY_SHARE_MAX * 100} % of the ${formatBytes(host.memAvailableBytes)} that are available`,
        ]
      : []),
    ...(vcpus > allowedVcpus
      ? [
          `${demands.map(vcpuWords).join(" + ")} on ${host.cpus} CPUs = ` +
            `${Math.ceil(vcpus / host.cpus)} vCPUs a CPU, more than ${VCPUS_PER_CPU_MAX}`,
        ]
      : []),
  ];
  return { vms, problems, roomShare: Math.min(allowedBytes / neededBytes, allowedVcpus / vcpus) };
}

function vmsWords(vms: number): string {
  return counted(vms, "VM");
}

function memoryWords({ vms, memoryBytes }: Demand): string {
  return `${vmsWords(vms)} × (${formatBytes(memoryBytes)} + ${formatBytes(VMM_BYTES)} for the VMM)`;
}

function vcpuWords({ vms, vcpus }: Demand): string {
  return `${vmsWords(vms)} × ${counted(vcpus, "vCPU")}`;
}
