import { type HostReadings, known } from "./host-readings.ts";
import { atLeast, versionOf } from "./kernel-version.ts";

/**
 * Which waits for a spinlock the tracepoints show.
 * `all`: every waiter queues, and queueing is traced. `misses-first-waiter`: the first one spins on
 * the pending bit, untraced, so totals are lower bounds and two CPUs never show contention.
 * `none`: waiters spin on the lock word itself, untraced.
 */
export type SpinlockVisibility = "all" | "misses-first-waiter" | "none" | "unknown";

export function spinlockVisibility(readings: HostReadings): SpinlockVisibility {
  return spinlockVerdict(readings).visibility;
}

export interface SpinlockVerdict {
  readonly visibility: SpinlockVisibility;
  readonly evidence: string;
}

/**
 * Source: kernel/locking/qspinlock.c (pending bit), rtmutex.c (RT traces each waiter),
 * arch/x86/include/asm/qspinlock.h (virt_spin_lock: test-and-set, where CONFIG_PARAVIRT and a
 * hypervisor are there), and what may turn that off again: kvm_spinlock_init, xen_init_spinlocks,
 * hv_init_spinlocks.
 */
export function spinlockVerdict(readings: HostReadings): SpinlockVerdict {
  const kernel = known(readings.kernel);
  if (kernel?.build.includes("PREEMPT_RT") || kernel?.config?.PREEMPT_RT === "y") {
    return { visibility: "all", evidence: "PREEMPT_RT: spinlocks are sleeping locks, all traced" };
  }
  if (kernel?.arch === "aarch64") {
    return { visibility: "misses-first-waiter", evidence: "arm64 has no paravirtual spinlocks" };
  }
  const cpus = known(readings.cpus);
  if (cpus === undefined) return { visibility: "unknown", evidence: "/proc/cpuinfo not read" };
  if (!cpus.flags.includes("hypervisor")) {
    return { visibility: "misses-first-waiter", evidence: "no hypervisor flag in /proc/cpuinfo" };
  }
  return spinlocksOfGuest(readings, cpus.hypervisor ?? "an unnamed hypervisor");
}

function spinlocksOfGuest(readings: HostReadings, hypervisor: string): SpinlockVerdict {
  const kernel = known(readings.kernel);
  const log = known(readings.kernelLog);
  const line = log?.lines.find((text) => /PV spinlocks|PV qspinlock hash/.test(text));
  if (line !== undefined) {
    return { visibility: visibilityOfLogLine(line), evidence: `kernel log: "${line}"` };
  }
  if (kernel?.config?.PARAVIRT === "n") {
    return { visibility: "misses-first-waiter", evidence: "a guest built without CONFIG_PARAVIRT" };
  }
  if (kernel?.config?.PARAVIRT_SPINLOCKS === "n") {
    const evidence = `guest of ${hypervisor}, built without CONFIG_PARAVIRT_SPINLOCKS`;
    return { visibility: "none", evidence };
  }
  if (hypervisor === "VMware") {
    return { visibility: "none", evidence: "guest of VMware, which has no paravirtual spinlocks" };
  }
  // Before 5.10 a KVM guest turned to native spinlocks without a word, for KVM_HINTS_REALTIME.
  const version = versionOf(kernel?.release ?? "");
  const wouldSay = hypervisor !== "KVM" || (version !== undefined && atLeast(version, 5, 10));
  if (log?.fromBoot && wouldSay) {
    const evidence = `guest of ${hypervisor}; nothing of paravirtual spinlocks in the kernel log`;
    return { visibility: "none", evidence };
  }
  return {
    visibility: "unknown",
    evidence: `guest of ${hypervisor}; the kernel log of the boot, which tells, was not read`,
  };
}

/**
 * `kvm-guest: PV spinlocks enabled`, `… disabled, no host support`,
 * `… disabled, forced by "nopvspin" parameter`, `… disabled with KVM_HINTS_REALTIME hints`,
 * `… disabled, single CPU`, `xen: PV spinlocks disabled`, `Hyper-V: PV spinlocks disabled`.
 */
function visibilityOfLogLine(line: string): SpinlockVisibility {
  if (!line.includes("disabled")) return "all";
  return /nopvspin|REALTIME|single CPU|xen/i.test(line) ? "misses-first-waiter" : "none";
}
