import { spinEvidence } from "../../../core/analyze/spin-evidence.ts";
import type { Trace } from "../../../core/event/schema.ts";
import { type SpinlockVisibility, spinlockVisibility } from "../../../core/facts/host-facts.ts";
import { probeHost } from "../../../host/probe/host.ts";

/** Which waits for spinlocks a recording of this host saw: by its stacks, else by the host. */
export async function visibilityOf(trace: Trace, signal: AbortSignal): Promise<SpinlockVisibility> {
  const seen = spinEvidence(trace);
  return seen === "unknown" ? spinlockVisibility(await probeHost({ signal, kvm: false })) : seen;
}
