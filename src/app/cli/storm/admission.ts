// Who says when a VM of a round may start: policies in this process, or a governor's daemon
// (govern-admission.ts).
import { Gate } from "../../../core/policy/gate.ts";
import type { Sample } from "../../../core/policy/policy.ts";
import { createPolicy } from "../../../core/policy/registry.ts";
import { cpuNsOf } from "../../../host/qemu/sample.ts";
import { startHostCpu } from "./host-cpu.ts";
import type { StormMachine } from "./machine.ts";
import type { Limit } from "./plan.ts";
import { systemTime } from "./system-time.ts";

/** VMs are known by their numbers in the round. */
export interface Admission {
  /** A VM is wanted. Calls `go` once it may start: now, later, or never. */
  request(vm: number, go: () => void): void;
  /** Its VMM runs. */
  started(vm: number, pid: number): void;
  /** It is ready, or has failed. */
  finished(vm: number, boot: BootEnd): void;
  /** Aborts when nobody can decide any more, with what went wrong as its reason. */
  readonly failed: AbortSignal;
  /** Nobody is let go any more, and whatever decided is gone. */
  close(): Promise<void>;
}

export type BootEnd = Omit<Extract<Sample, { kind: "boot-finished" }>, "kind">;

/** The policies of a limit, told of boots and of the host's CPUs as a daemon tells them. */
export function policyAdmission(
  { policy }: Limit,
  machine: Pick<StormMachine, "askOf">,
  originNs: bigint,
): Admission {
  const gate = new Gate(createPolicy(policy), systemTime(originNs));
  const cpu = startHostCpu((sample) => gate.observe(sample));
  return {
    request(vm, go) {
      gate.ask({ id: vm, kind: "boot", vm, priority: 0, ...machine.askOf(vm) }, go);
    },
    started: (vm, pid) => cpu.begin(vm, () => cpuNsOf(pid)),
    finished(vm, boot) {
      cpu.end(vm, boot.cpuNs);
      gate.observe({ kind: "boot-finished", ...boot, pages: machine.askOf(vm).pages });
      gate.release(vm);
    },
    failed: new AbortController().signal,
    async close() {
      cpu.stop();
      gate.close();
    },
  };
}
