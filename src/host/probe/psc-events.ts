import { readIfThere, readText } from "./file.ts";

/**
 * Tracepoints of page state changes: one for the GHCB page, one for the MSR protocol.
 * Source: arch/x86/kvm/trace.h, Linux 6.18.
 */
const EVENTS = ["kvm_vmgexit_enter", "kvm_vmgexit_msr_protocol_enter"];

/** Why nobody here can tell how many page state changes guests ask for; undefined: somebody could. */
export function lackOfPscEvents(root: string): string | undefined {
  const parameter = readIfThere(root, "/sys/module/kvm_amd/parameters/sev_snp");
  if (parameter === undefined) return "KVM for AMD is not loaded (kvm_amd)";
  if (parameter !== "Y")
    return `this host starts no SEV-SNP guests: kvm_amd.sev_snp is ${parameter}`;
  const mount = tracefsMount(root);
  if (mount === undefined) return "tracefs is not mounted";
  const missing = EVENTS.filter(
    (event) => readIfThere(root, `${mount}/events/kvm/${event}/id`) === undefined,
  );
  return missing.length === 0
    ? undefined
    : `no tracepoint kvm:${missing.join(", kvm:")} to be read`;
}

/** `nodev /sys/kernel/tracing tracefs rw,nosuid 0 0` */
function tracefsMount(root: string): string | undefined {
  const rows = readText(root, "/proc/self/mounts").split("\n");
  return rows.map((row) => row.split(" ")).find(([, , type]) => type === "tracefs")?.[1];
}
