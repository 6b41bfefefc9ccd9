import { arch, cpus, release, totalmem } from "node:os";

/** What every JSON document says of the machine it was made on. No names, no addresses. */
export interface HostDescription {
  readonly kernel: string;
  readonly arch: string;
  readonly cpuModel: string;
  readonly cpuCount: number;
  readonly memoryBytes: number;
}

export function describeHost(): HostDescription {
  const all = cpus();
  return {
    kernel: release(),
    arch: arch(),
    cpuModel: all[0]?.model.trim() ?? "unknown",
    cpuCount: all.length,
    memoryBytes: totalmem(),
  };
}
