import type { Capability, ProcessReading } from "../../core/facts/host-readings.ts";
import { readText } from "./file.ts";

/** Bits of a capability set. Source: include/uapi/linux/capability.h. */
const CAPABILITY_BIT: Readonly<Record<Capability, bigint>> = {
  DAC_OVERRIDE: 1n,
  IPC_LOCK: 14n,
  SYS_ADMIN: 21n,
  SYS_RESOURCE: 24n,
  SYSLOG: 34n,
  PERFMON: 38n,
  BPF: 39n,
};

/**
 * /proc/self/status: `Uid:	0	0	0	0` (real, effective, saved, file system) and
 * `CapEff:	000001fffeffffff`. /proc/self/limits:
 * `Max locked memory         8388608              unlimited            bytes`.
 */
export function readProcess(root: string): ProcessReading {
  const status = readText(root, "/proc/self/status");
  const limits = readText(root, "/proc/self/limits");
  const uid = /^Uid:\s+\d+\s+(\d+)/m.exec(status);
  const effective = /^CapEff:\s+([0-9a-f]+)$/m.exec(status);
  const memlock = /^Max locked memory +(\d+|unlimited) +(\d+|unlimited) /m.exec(limits);
  if (!uid || !effective) throw new Error("/proc/self/status has no Uid or no CapEff");
  if (!memlock) throw new Error("/proc/self/limits has no locked memory");
  const set = BigInt(`0x${effective[1]}`);
  return {
    uid: Number(uid[1]),
    capabilities: (Object.keys(CAPABILITY_BIT) as Capability[]).filter(
      (name) => (set >> CAPABILITY_BIT[name]) & 1n,
    ),
    memlockSoftBytes: limitOf(memlock[1]!),
    memlockHardBytes: limitOf(memlock[2]!),
  };
}

function limitOf(text: string): number | "unlimited" {
  return text === "unlimited" ? text : Number(text);
}
