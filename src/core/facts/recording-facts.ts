// Who waits for which lock: what of it can be recorded here, and what can be named.
import { formatCount } from "../units.ts";
import { type Ability, list, notInstalled, notKnown, unreadWords } from "./fact-words.ts";
import type { HostFact } from "./host-fact.ts";
import { type HostReadings, isUnreadable, known, type TracingReading } from "./host-readings.ts";
import { atLeast, versionOf } from "./kernel-version.ts";
import { spinlockVerdict } from "./spinlock-visibility.ts";

export interface RecordingVerdict {
  readonly ability: Ability;
  readonly found: string;
  readonly evidence: string;
  readonly remedy?: string;
}

/** May this process record lock:contention_begin and _end? The events are in Linux since 5.19. */
export function recordingVerdict(readings: HostReadings): RecordingVerdict {
  const { tracing } = readings;
  if (isUnreadable(tracing)) {
    return { ability: "unknown", ...unreadWords(tracing), remedy: "is /proc mounted?" };
  }
  if (!tracing.inKernel) {
    return {
      ability: "no",
      found: "this kernel cannot trace",
      evidence: "no tracefs in /proc/filesystems",
      remedy: "boot a kernel with CONFIG_TRACING=y, such as any distribution's",
    };
  }
  if (known(readings.settings)?.lockdown === "confidentiality") {
    return {
      ability: "no",
      found: "forbidden by lockdown",
      evidence: "confidentiality in /sys/kernel/security/lockdown",
      remedy: "boot without lockdown=confidentiality",
    };
  }
  const events = tracing.contentionEvents ?? contentionEventsElsewhere(readings);
  if (events === false) {
    return {
      ability: "no",
      found: "this kernel has no lock events",
      evidence: `no lock:contention_begin; in Linux since 5.19, this is ${known(readings.kernel)?.release ?? "not known"}`,
      remedy: "boot a kernel of 5.19 or later",
    };
  }
  const [mount] = tracing.mounts;
  return mount === undefined
    ? recordingWithoutMount(readings, events)
    : recordingAt(mount, tracing, events);
}

function recordingAt(
  mount: string,
  tracing: TracingReading,
  events: boolean | undefined,
): RecordingVerdict {
  if (tracing.instancesWritable !== true) {
    return {
      ability: "no",
      found: "not permitted",
      evidence: `tracefs is mounted at ${mount}; this process may not make an instance there`,
      remedy: "run as root: sudo bootstorm …",
    };
  }
  return {
    ability: events === true ? "yes" : "unknown",
    found: events === true ? "usable" : "not known whether this kernel has the lock events",
    evidence: `tracefs at ${mount}: ${events === true ? "events/lock/contention_begin and " : ""}instances can be made`,
    ...(events === true ? {} : { remedy: `look: ls ${mount}/events/lock` }),
  };
}

function recordingWithoutMount(
  readings: HostReadings,
  events: boolean | undefined,
): RecordingVerdict {
  const evidence = `tracefs is in /proc/filesystems and not mounted${
    events === true ? "; the kernel has lock:contention_begin (kallsyms)" : ""
  }`;
  if (known(readings.process)?.capabilities.includes("SYS_ADMIN") !== true) {
    return {
      ability: "no",
      found: "not permitted",
      evidence,
      remedy: "run as root, who may mount it: sudo bootstorm …",
    };
  }
  if (events === true) {
    return {
      ability: "yes",
      found: "usable; bootstorm mounts tracefs for itself while it records",
      evidence,
    };
  }
  return {
    ability: "unknown",
    found: "not known before tracefs is mounted",
    evidence,
    remedy: "mount -t tracefs nodev /sys/kernel/tracing",
  };
}

/** Without tracefs the symbols tell; and before 5.19 nobody had the events. */
function contentionEventsElsewhere(readings: HostReadings): boolean | undefined {
  if (known(readings.kallsyms)?.names.includes("__traceiter_contention_begin")) return true;
  const version = versionOf(known(readings.kernel)?.release ?? "");
  return version !== undefined && !atLeast(version, 5, 19) ? false : undefined;
}

export function tracepointFact(readings: HostReadings): HostFact {
  const { ability, ...words } = recordingVerdict(readings);
  const state = ({ yes: "ok", no: "missing", unknown: "limited" } as const)[ability];
  return { id: "lock-tracepoints", title: "lock tracepoints", state, ...words };
}

export function spinlockFact(readings: HostReadings): HostFact {
  const base = { id: "spinlocks", title: "spinlock waits" };
  const { visibility, evidence } = spinlockVerdict(readings);
  switch (visibility) {
    case "all":
      return { ...base, state: "ok", found: "every waiter is seen", evidence };
    case "misses-first-waiter":
      return {
        ...base,
        state: "limited",
        found: "the first waiter is not seen: wait totals are lower bounds",
        evidence: `${evidence}; native queued spinlocks trace from the second waiter on. No remedy: the kernel has no tracepoint there`,
      };
    case "none":
      return {
        ...base,
        state: "missing",
        found: "no waiter is seen: test-and-set spinlocks trace nothing",
        evidence,
        remedy:
          "give this VM paravirtual spinlocks (QEMU: -cpu …,kvm-pv-unhalt=on), or measure on its host",
      };
    case "unknown":
      return {
        ...base,
        state: "limited",
        found: "not known which waiters are seen",
        evidence,
        remedy: "run as root, or allow reading the log: sudo sysctl kernel.dmesg_restrict=0",
      };
  }
}

export function kallsymsFact(readings: HostReadings): HostFact {
  const base = { id: "kallsyms", title: "kernel symbols" };
  const { kallsyms } = readings;
  if (isUnreadable(kallsyms)) return notKnown(base, kallsyms, "is /proc mounted?");
  const evidence = `${formatCount(kallsyms.lines)} lines of /proc/kallsyms`;
  if (!kallsyms.addresses) {
    const restrict = known(readings.settings)?.kptrRestrict;
    return {
      ...base,
      state: "missing",
      found: "hidden: every address reads as zero",
      evidence: `${evidence}, kernel.kptr_restrict is ${restrict ?? "not readable"}`,
      remedy: restrict === 2 ? "sysctl kernel.kptr_restrict=1, then as root" : "run as root",
    };
  }
  const locks = ["cpa_lock", "pgd_lock"].filter((name) => kallsyms.names.includes(name));
  if (kallsyms.dataSymbols && locks.length > 0) {
    const found = `functions and data: ${list(locks, "and")} by name`;
    return { ...base, state: "ok", found, evidence };
  }
  return {
    ...base,
    state: "limited",
    found: "functions only: locks are told apart by address and named by who waits for them",
    evidence: `${evidence}, ${kallsyms.dataSymbols ? "cpa_lock and pgd_lock not among them" : "no data symbols"}`,
    remedy: "none is needed; a kernel with CONFIG_KALLSYMS_ALL=y would name them itself",
  };
}

export function perfFact(readings: HostReadings): HostFact {
  const base = { id: "perf", title: "perf" };
  const { perf } = readings;
  if (isUnreadable(perf)) return notKnown(base, perf, "does it start? perf --version");
  if (!perf.installed)
    return notInstalled(
      base,
      "perf",
      "linux-perf (Debian), linux-tools-generic (Ubuntu), perf (Fedora)",
    );
  const paranoid = known(readings.settings)?.perfEventParanoid;
  const capabilities = known(readings.process)?.capabilities ?? [];
  const privileged = capabilities.includes("PERFMON") || capabilities.includes("SYS_ADMIN");
  const evidence = `perf --version; CAP_PERFMON or CAP_SYS_ADMIN ${privileged ? "" : "not "}held, kernel.perf_event_paranoid is ${paranoid ?? "not readable"}`;
  // Reading an event's number in tracefs is a permission of its own.
  if (privileged || (paranoid === -1 && known(readings.tracing)?.contentionEvents === true)) {
    return { ...base, state: "ok", found: `${perf.version}, may record the whole host`, evidence };
  }
  return {
    ...base,
    state: "limited",
    found: `${perf.version}, may not record the kernel's lock events`,
    evidence,
    remedy:
      "run as root, or: sudo sysctl kernel.perf_event_paranoid=-1; sudo mount -o remount,mode=755 /sys/kernel/tracing",
  };
}

export function bpftraceFact(readings: HostReadings): HostFact {
  const base = { id: "bpftrace", title: "bpftrace" };
  const { bpftrace } = readings;
  if (isUnreadable(bpftrace)) return notKnown(base, bpftrace, "does it start? bpftrace --version");
  if (!bpftrace.installed) return notInstalled(base, "bpftrace", "bpftrace");
  const btf = known(readings.kernel)?.btf;
  const evidence = `bpftrace --version; ${btf ? "" : "no "}/sys/kernel/btf/vmlinux`;
  const capabilities = known(readings.process)?.capabilities ?? [];
  // bpftrace itself insists on root; CAP_SYS_ADMIN is what the kernel wants of it.
  if (!capabilities.includes("SYS_ADMIN")) {
    const found = `${bpftrace.version}, needs root`;
    return { ...base, state: "limited", found, evidence, remedy: "run as root" };
  }
  if (btf !== true) {
    return {
      ...base,
      state: "limited",
      found: `${bpftrace.version}, without the kernel's types`,
      evidence,
      remedy: "boot a kernel with CONFIG_DEBUG_INFO_BTF=y",
    };
  }
  return { ...base, state: "ok", found: `${bpftrace.version}, with the kernel's types`, evidence };
}
