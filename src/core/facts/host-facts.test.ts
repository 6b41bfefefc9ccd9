import { describe, expect, test } from "vitest";
import { hostAbilities } from "./host-abilities.ts";
import type { HostFact } from "./host-fact.ts";
import {
  cpaGeneration,
  type HostReadings,
  hostCaveats,
  hostFacts,
  hostSummary,
  type SpinlockVisibility,
  spinlockVisibility,
} from "./host-facts.ts";
import type { GuestRun, KernelReading } from "./host-readings.ts";

// Hosts, each drawn as its difference to one that lacks nothing: a bare-metal EPYC, Linux 6.12.
const KERNEL = {
  release: "6.12.43-amd64",
  build: "#1 SMP PREEMPT_DYNAMIC Debian 6.12.43-1 (2025-08-27)",
  arch: "x86_64",
  parameters: [],
  btf: true,
} satisfies KernelReading;
const CPUS = {
  model: "AMD EPYC 9654",
  vendor: "AuthenticAMD",
  onlineCount: 192,
  numaNodeCount: 2,
  smt: "on",
  flags: ["svm", "sev", "sev_es", "sev_snp"],
};
const ROOT = {
  uid: 0,
  capabilities: ["IPC_LOCK", "SYS_ADMIN", "SYS_RESOURCE", "SYSLOG", "PERFMON", "BPF"],
  memlockSoftBytes: 8 << 20,
  memlockHardBytes: 8 << 20,
} as const;
const NOBODY = { ...ROOT, uid: 65534, capabilities: [] };
const SYMBOLS = {
  lines: 210_000,
  addresses: true,
  dataSymbols: true,
  names: ["cpa_lock", "pgd_lock", "__traceiter_contention_begin"],
};
const BOOTED: GuestRun = {
  accel: "kvm",
  cpu: "host",
  firmware: "progress",
  kernel: "progress",
  exit: "exited",
  code: 0,
  limitMs: 10_000,
  elapsedMs: 900,
};
const HUNG = { ...BOOTED, cpu: "qemu64", kernel: "none", exit: "timeout" } as const;
const ABORTED: GuestRun = {
  ...HUNG,
  cpu: "host",
  firmware: "none",
  exit: "signalled",
  complaint: "error: failed to set MSR 0x10a to 0x69",
};
const CONTROL: GuestRun = { ...BOOTED, accel: "tcg", cpu: "max" };

const SNP_HOST: HostReadings = {
  kernel: KERNEL,
  settings: { kptrRestrict: 0, perfEventParanoid: 3, dmesgRestrict: 1, lockdown: "none" },
  process: ROOT,
  cpus: CPUS,
  directMap: { map4kBytes: 1 << 30, map2mBytes: 1 << 30, level2Splits: 1, level3Splits: 0 },
  secretmem: { usable: true },
  tracing: {
    inKernel: true,
    mounts: ["/sys/kernel/tracing"],
    contentionEvents: true,
    instancesWritable: true,
  },
  kallsyms: SYMBOLS,
  kernelLog: { source: "/dev/kmsg", fromBoot: true, lines: ["SEV-SNP enabled (ASIDs 1 - 99)"] },
  perf: { installed: true, version: "6.12.43" },
  bpftrace: { installed: true, version: "0.23.2" },
  qemu: { installed: true, version: "10.0.3" },
  kvm: { device: "opened", kernelImage: "/boot/vmlinuz", guests: [BOOTED] },
  snp: { kvmParameter: "Y", sevDevice: true, guestDevice: false },
  cgroup: { mode: "unified", v2Path: "/sys/fs/cgroup", controllers: ["cpu", "io", "memory"] },
};
const INTEL = { ...CPUS, model: "Xeon", vendor: "GenuineIntel", flags: ["vmx"] };
const DEBIAN_61: HostReadings = {
  ...SNP_HOST,
  kernel: {
    ...KERNEL,
    release: "6.1.0-56-amd64",
    build: "#1 SMP PREEMPT_DYNAMIC Debian 6.1.192-2 (2026-11-16)",
  },
  cpus: INTEL,
  secretmem: { usable: false, errno: "ENOSYS" },
  snp: { sevDevice: false, guestDevice: false },
  kernelLog: { source: "/dev/kmsg", fromBoot: true, lines: [] },
};
const OLD: HostReadings = {
  ...DEBIAN_61,
  kernel: { ...KERNEL, release: "4.19.0-27-amd64", build: "#1 SMP Debian 4.19.316-1 (2024-06-25)" },
  directMap: { map4kBytes: 1 << 30 },
  tracing: { inKernel: true, mounts: [] },
  kallsyms: { ...SYMBOLS, names: ["cpa_lock", "pgd_lock"] },
};
const VM_CPUS = { ...CPUS, flags: ["hypervisor"], hypervisor: "KVM" };
const VM: HostReadings = {
  ...SNP_HOST,
  kernel: { ...KERNEL, release: "6.18.44", build: "#1 SMP PREEMPT_DYNAMIC @0" },
  process: { ...ROOT, capabilities: ["IPC_LOCK", "SYS_ADMIN", "SYSLOG"] },
  cpus: { ...VM_CPUS, onlineCount: 2, numaNodeCount: 1 },
  directMap: { map4kBytes: 1 << 20, level2Splits: 23, level2Collapses: 0 },
  tracing: { inKernel: true, mounts: [] },
  kallsyms: {
    ...SYMBOLS,
    dataSymbols: false,
    names: ["collapse_large_pages", "__traceiter_contention_begin"],
  },
  kernelLog: {
    source: "/dev/kmsg",
    fromBoot: true,
    lines: ["Hypervisor detected: KVM", "kvm-guest: PV spinlocks enabled"],
  },
  qemu: { installed: true, version: "7.2.22" },
  kvm: { device: "opened", kernelImage: "/boot/vmlinuz", guests: [ABORTED, HUNG, CONTROL] },
  snp: { sevDevice: false, guestDevice: false },
  cgroup: { mode: "hybrid", v2Path: "/sys/fs/cgroup/unified", controllers: ["hugetlb"] },
};
const VM_OF_NOBODY: HostReadings = {
  ...VM,
  process: NOBODY,
  kallsyms: { ...SYMBOLS, addresses: false },
  tracing: { inKernel: true, mounts: ["/sys/kernel/tracing"], instancesWritable: false },
  kernelLog: { unreadable: "EPERM: operation not permitted, open '/dev/kmsg'" },
  kvm: { device: "denied", guests: [] },
};
const UNSEEN = Object.fromEntries(
  Object.keys(SNP_HOST).map((subject) => [subject, { unreadable: "EACCES" }]),
) as unknown as HostReadings;
const BARE_CONTAINER: HostReadings = {
  ...VM_OF_NOBODY,
  secretmem: { usable: false, errno: "EPERM" },
  tracing: { inKernel: false, mounts: [] },
  perf: { installed: false },
  bpftrace: { installed: false },
  qemu: { installed: false },
  kvm: { device: "absent", guests: [] },
  cgroup: { mode: "none", controllers: [] },
};

const HOSTS = { SNP_HOST, DEBIAN_61, OLD, VM, VM_OF_NOBODY, BARE_CONTAINER, UNSEEN };

function fact(readings: HostReadings, id: string): HostFact {
  const found = hostFacts(readings).find((one) => one.id === id);
  if (!found) throw new Error(`no fact ${id}`);
  return found;
}

/** @param expected  `state found | remedy`, each part by a piece of it */
function check(readings: HostReadings, expected: Readonly<Record<string, string>>): void {
  for (const [id, words] of Object.entries(expected)) {
    const { state, found, remedy } = fact(readings, id);
    const [first = "", second = ""] = words.split(" | ");
    expect(`${state} ${found}`, id).toContain(first);
    expect(remedy ?? "", id).toContain(second);
  }
}

describe("laws of all hosts", () => {
  test.each(Object.entries(HOSTS))(
    "%s: what is not good says what to do, or why nothing can be done",
    (_, host) => {
      for (const { id, state, evidence, remedy } of hostFacts(host)) {
        if (state === "ok" || state === "info") continue;
        expect(remedy ?? /No remedy[^:]*: \S/.exec(evidence)?.[0], id).toBeTruthy();
      }
    },
  );

  test.each(Object.entries(HOSTS))(
    "%s: every fact has a title, a finding and evidence, once",
    (_, host) => {
      const facts = hostFacts(host);
      expect(new Set(facts.map(({ id }) => id)).size).toBe(facts.length);
      for (const { id, title, found, evidence } of facts) {
        expect([title, found, evidence], id).not.toContain("");
        expect(`${found} ${evidence}`, id).not.toMatch(/undefined|null|NaN|\[object/);
      }
    },
  );

  test("a host of which nothing can be read is good at nothing, and bad at nothing for certain", () => {
    expect(hostFacts(UNSEEN).filter(({ state }) => state === "ok")).toEqual([]);
    expect(new Set(Object.values(hostAbilities(UNSEEN)))).toEqual(new Set(["unknown"]));
    expect(spinlockVisibility(UNSEEN)).toBe("unknown");
    expect(cpaGeneration(UNSEEN).generation).toBe("unknown");
  });

  test("what could not be read is named in the caveats, each subject once", () => {
    expect(hostCaveats(VM_OF_NOBODY)).toContain(
      "kernel log could not be read: EPERM: operation not permitted, open '/dev/kmsg'",
    );
    expect(hostCaveats(UNSEEN).filter((text) => text.includes("EACCES"))).toHaveLength(
      Object.keys(UNSEEN).length,
    );
    expect(hostCaveats(SNP_HOST)).toEqual([]);
  });
});

describe("the answer in a sentence", () => {
  test.each([
    [
      "SNP_HOST",
      "This host can measure its direct-map contention, name the locks waited for, boot KVM guests and boot SNP guests.",
    ],
    [
      "DEBIAN_61",
      "This host can name the locks waited for and boot KVM guests; it cannot measure its direct-map contention or boot SNP guests.",
    ],
    [
      "OLD",
      "This host can name locks and boot KVM guests; it cannot measure its direct-map contention, record lock waits or boot SNP guests.",
    ],
    [
      "VM",
      "This host can measure its direct-map contention, name the locks waited for and boot emulated guests; it cannot boot KVM guests.",
    ],
    [
      "VM_OF_NOBODY",
      "This host can measure its direct-map contention and boot emulated guests; it cannot record lock waits, name locks or boot KVM guests. Root may do more.",
    ],
    [
      "UNSEEN",
      "This host may or may not measure its direct-map contention, record lock waits, name locks or boot KVM guests.",
    ],
  ] as const)("%s", (host, sentence) => expect(hostSummary(HOSTS[host])).toBe(sentence));
});

describe("CPA generation", () => {
  function kernel(release: string, build = "#1 SMP", more: Partial<HostReadings> = {}) {
    const counters = { map4kBytes: 1 };
    return cpaGeneration({
      ...SNP_HOST,
      directMap: counters,
      kernel: { ...KERNEL, release, build },
      ...more,
    });
  }
  test.each([
    ["2.6.27-7-generic", "before-2.6.28"],
    ["2.6.28", "2.6.28"],
    ["2.6.32-754.el6.x86_64", "2.6.28"],
    ["3.10.0-1160.el7.x86_64", "2.6.28"],
    ["4.19.0-27-amd64", "2.6.28"],
    ["4.20.0", "4.20"],
    ["5.14.0-427.el9.x86_64", "4.20"],
    ["6.14.11", "4.20"],
    ["6.15.0-rc1", "6.15"],
    ["7.2.6", "6.15"],
    ["7.3.0", "2026-fixes"],
    ["mine", "unknown"],
  ])("%s is %s by its number", (release, generation) => {
    expect(kernel(release).generation).toBe(generation);
  });

  test("a number below 6.15 does not hide a collapse that a distribution has added", () => {
    const collapses = { directMap: { level2Splits: 1, level2Collapses: 0 } };
    expect(kernel("6.12.0-99.el10", "#1 SMP", collapses).generation).toBe("6.15");
  });

  test("nothing but a build before July 2026 tells that the fixes are not in", () => {
    const built = (build: string) => kernel("6.18.3", build).fixes2026;
    expect(built("#1 SMP PREEMPT_DYNAMIC Debian 6.18.3-1 (2026-07-14)")).toBe("absent");
    expect(built("#1 SMP PREEMPT_DYNAMIC Debian 6.18.3-1 (2026-07-15)")).toBe("unknown");
    expect(built("#45-Ubuntu SMP PREEMPT_DYNAMIC Fri Aug 30 12:02:04 UTC 2024")).toBe("absent");
    expect(built("#1 SMP PREEMPT_DYNAMIC Wed Sep  2 21:58:53 UTC 2026")).toBe("unknown");
    expect(built("#1 SMP PREEMPT_DYNAMIC @0")).toBe("unknown");
    expect(kernel("7.3.1").fixes2026).toBe("present");
  });

  test("debug_pagealloc leaves cpa_lock out until the fixes; where those are uncertain, so is this", () => {
    const skips = (release: string, build: string) =>
      cpaGeneration({
        ...SNP_HOST,
        kernel: { ...KERNEL, release, build, parameters: ["debug_pagealloc=on"] },
      }).skipsCpaLock;
    expect(skips("6.1.0", "#1 SMP Debian 6.1.99-1 (2024-07-15)")).toBe("yes");
    expect(skips("6.18.44", "#1 SMP @0")).toBe("unknown");
    expect(skips("7.3.0", "#1 SMP @0")).toBe("no");
  });

  test("other machines than x86 have no cpa_lock, and no remedy for it", () => {
    const arm = { ...SNP_HOST, kernel: { ...KERNEL, arch: "aarch64" } };
    expect(cpaGeneration(arm).generation).toBe("none");
    expect(fact(arm, "kernel")).toMatchObject({ state: "missing" });
  });
});

describe("which spinlock waits the tracepoints see", () => {
  function guest(more: { log?: string[]; kernel?: Partial<KernelReading>; hypervisor?: string }) {
    return spinlockVisibility({
      ...VM,
      kernel: { ...KERNEL, ...more.kernel },
      cpus: { ...VM_CPUS, hypervisor: more.hypervisor ?? "KVM" },
      kernelLog:
        more.log === undefined
          ? { unreadable: "EPERM" }
          : { source: "/dev/kmsg", fromBoot: true, lines: more.log },
    });
  }

  test("bare metal: the first waiter spins on the pending bit, untraced", () => {
    expect(spinlockVisibility(DEBIAN_61)).toBe("misses-first-waiter");
    expect(fact(DEBIAN_61, "spinlocks").found).toContain("lower bounds");
  });

  // Lines of kvm_spinlock_init, xen_init_spinlocks and hv_init_spinlocks.
  test.each<[string, SpinlockVisibility]>([
    ["kvm-guest: PV spinlocks enabled", "all"],
    ["PV qspinlock hash table entries: 256 (order: 0, 4096 bytes, linear)", "all"],
    ["kvm-guest: PV spinlocks disabled, no host support", "none"],
    ["Hyper-V: PV spinlocks disabled", "none"],
    ["xen: PV spinlocks disabled", "misses-first-waiter"],
    ["kvm-guest: PV spinlocks disabled with KVM_HINTS_REALTIME hints", "misses-first-waiter"],
    ['kvm-guest: PV spinlocks disabled, forced by "nopvspin" parameter', "misses-first-waiter"],
    ["kvm-guest: PV spinlocks disabled, single CPU", "misses-first-waiter"],
  ])("%s", (line, visibility) => expect(guest({ log: [line] })).toBe(visibility));

  test("a guest whose log of the boot says nothing spins on the lock word: no wait is seen", () => {
    expect(guest({ log: [] })).toBe("none");
    expect(guest({ hypervisor: "VMware" })).toBe("none");
    expect(guest({ kernel: { config: { PARAVIRT: "y", PARAVIRT_SPINLOCKS: "n" } } })).toBe("none");
  });

  test("a guest whose log cannot be read, or has lost the boot, or is of an old KVM: not known", () => {
    expect(guest({})).toBe("unknown");
    expect(guest({ log: [], kernel: { release: "4.19.0" } })).toBe("unknown");
    const lost = { source: "/dev/kmsg", fromBoot: false, lines: [] };
    expect(spinlockVisibility({ ...VM, kernelLog: lost })).toBe("unknown");
  });

  test("PREEMPT_RT: spinlocks sleep, and all of their waits are traced", () => {
    const build = "#1 SMP PREEMPT_RT Debian 6.12.43-1 (2025-08-27)";
    expect(spinlockVisibility({ ...SNP_HOST, kernel: { ...KERNEL, build } })).toBe("all");
  });
});

describe("hosts of others", () => {
  test("an SNP host of today: everything is there", () => {
    check(SNP_HOST, {
      kernel: "info 6.12.43-amd64; CPA of 4.20 to 6.14",
      "memfd-secret": "ok",
      "memory-lock": "ok 8.00 MiB, ours to raise",
      "lock-tracepoints": "ok usable",
      kallsyms: "ok functions and data: cpa_lock and pgd_lock by name",
      perf: "ok 6.12.43",
      bpftrace: "ok 0.23.2",
      qemu: "ok 10.0.3, knows SNP",
      kvm: "ok boots a guest kernel (-cpu host)",
      snp: "ok KVM and QEMU can start SNP guests",
      cgroup: "ok unified",
    });
  });

  test("an SNP CPU whose firmware, kernel or QEMU is not ready: the first missing step is named", () => {
    const without = (more: Partial<HostReadings>) => ({ ...SNP_HOST, ...more });
    check(without({ cpus: { ...CPUS, flags: ["svm", "sev"] } }), {
      snp: "missing not offered | firmware",
    });
    check(without({ snp: { kvmParameter: "N", sevDevice: true, guestDevice: false } }), {
      snp: "missing the CPU has it | kvm_amd.sev_snp=1",
    });
    check(without({ qemu: { installed: true, version: "8.2.2" } }), {
      snp: "limited KVM runs SNP guests, but this QEMU does not | QEMU 9.1",
    });
    check(without({ snp: { kvmParameter: "Y", sevDevice: true, guestDevice: true } }), {
      snp: "missing this machine is itself an SNP guest",
    });
  });

  test("Debian 6.1 has memfd_secret off, and a boot parameter turns it on", () => {
    check(DEBIAN_61, {
      "memfd-secret": "missing off | secretmem.enable=1",
      snp: "missing not an AMD CPU",
    });
  });

  test("4.19 has neither memfd_secret nor lock events, and no line enables them", () => {
    check(OLD, {
      kernel: "info 4.19.0-27-amd64; CPA of 2.6.28 to 4.19",
      "memfd-secret": "missing not in this kernel | 5.14",
      "lock-tracepoints": "missing this kernel has no lock events | 5.19",
    });
  });

  test("a cloud VM: tracefs is mounted for the run only, locks are named by their callers", () => {
    check(VM, {
      "memory-lock": "limited 8.00 MiB: 1,024 pages for each of 2 processes | LimitMEMLOCK",
      "lock-tracepoints": "ok usable; bootstorm mounts tracefs for itself",
      spinlocks: "ok every waiter is seen",
      kallsyms: "limited functions only",
      qemu: "ok 7.2.22, SNP needs 9.1",
      snp: "missing this machine is a VM",
      cgroup: "limited hybrid: version 1 has cpu and memory | cgroup_no_v1=all",
    });
  });

  test("no root: what is forbidden says who may", () => {
    check(VM_OF_NOBODY, {
      "memory-lock": "limited 8.00 MiB",
      "lock-tracepoints": "missing not permitted | root",
      spinlocks: "limited not known | dmesg_restrict=0",
      kallsyms: "missing hidden | root",
      perf: "limited 6.12.43 | perf_event_paranoid=-1",
      bpftrace: "limited 0.23.2, needs root | root",
      kvm: "missing not permitted | kvm",
    });
  });

  test("a container: a forbidden memfd_secret is not mistaken for one that is turned off", () => {
    check(BARE_CONTAINER, {
      "memfd-secret": "missing forbidden | seccomp",
      "lock-tracepoints": "missing this kernel cannot trace",
      perf: "missing not installed | linux-perf",
      qemu: "missing not installed | qemu-system-x86",
      kvm: "missing not here | nested",
      cgroup: "missing not mounted",
    });
  });

  test("lockdown forbids tracing even to root", () => {
    const settings = { lockdown: "confidentiality" } as const;
    check(
      { ...SNP_HOST, settings },
      { "lock-tracepoints": "missing forbidden by lockdown | lockdown" },
    );
  });
});

describe("KVM is judged by the guest, not by the device", () => {
  const kvm = (guests: GuestRun[], more = {}) => ({
    ...SNP_HOST,
    kvm: { device: "opened", kernelImage: "/boot/vmlinuz", guests, ...more } as const,
  });

  test("firmware runs, kernel hangs, the same guest boots without KVM: KVM is at fault", () => {
    check(kvm([ABORTED, HUNG, CONTROL]), {
      kvm: "missing /dev/kvm opens and a guest's firmware runs, but its kernel makes no progress | -accel tcg",
    });
    expect(fact(VM, "kvm").evidence).toContain("failed to set MSR 0x10a");
  });

  test("the second CPU model boots: KVM works, with that model", () => {
    check(kvm([ABORTED, { ...BOOTED, cpu: "qemu64" }]), {
      kvm: "ok boots a guest kernel (-cpu qemu64)",
    });
  });

  test("a guest that hangs without KVM too says nothing about KVM", () => {
    const guests = [HUNG, { ...HUNG, accel: "tcg" } as const];
    check(kvm(guests), {
      kvm: "limited the probe guest boots neither with KVM nor without | --kernel",
    });
    expect(hostAbilities(kvm(guests)).bootKvmGuests).toBe("unknown");
  });

  test("firmware alone is not enough to call KVM good", () => {
    check(kvm([{ ...BOOTED, kernel: "not-tried" }]), {
      kvm: "limited a guest's firmware runs | --kernel",
    });
  });

  test("no guest was booted: not known, whatever the device says", () => {
    const readings = kvm([], { notBooted: "not asked for" });
    check(readings, { kvm: "limited opens, but no guest was booted: not asked for | --no-kvm" });
    expect(hostAbilities(readings).bootKvmGuests).toBe("unknown");
  });
});
