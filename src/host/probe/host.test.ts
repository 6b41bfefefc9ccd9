// The probes against hosts drawn as folders of files, and programs drawn as shell scripts.
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { BootstormError, EXIT } from "../../core/error.ts";
import { readCgroup } from "./cgroup.ts";
import { readCpus } from "./cpus.ts";
import { probeHost } from "./host.ts";
import { readKallsyms } from "./kallsyms.ts";
import { readKernel } from "./kernel.ts";
import { readKernelLog } from "./kernel-log.ts";
import { findKernelImage, readKvm } from "./kvm.ts";
import { readProcess } from "./process.ts";
import { readProgram } from "./program.ts";
import { readSecretmem } from "./secretmem.ts";
import { readSettings } from "./settings.ts";
import { readSnp } from "./snp.ts";
import { readTracing } from "./tracing.ts";

let root: string;
const { signal } = new AbortController();

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "bootstorm-host-"));
});
afterEach(() => rmSync(root, { recursive: true }));

function files(content: Readonly<Record<string, string | Buffer>>): void {
  for (const [path, text] of Object.entries(content)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  }
}

/** A program that is first in the PATH that is returned. */
function program(name: string, script: string): string {
  files({ [`bin/${name}`]: `#!/bin/sh\n${script}\n` });
  chmodSync(join(root, "bin", name), 0o755);
  return `${join(root, "bin")}:${process.env.PATH}`;
}

describe("files", () => {
  test("a host without a single file: nothing is found, nothing throws, each says why", async () => {
    const readings = await probeHost({ signal, root, path: "/nowhere" });
    for (const subject of [
      "kernel",
      "process",
      "cpus",
      "directMap",
      "tracing",
      "kallsyms",
      "kernelLog",
      "cgroup",
    ] as const) {
      expect(readings[subject], subject).toEqual({ unreadable: expect.stringMatching(/^E[A-Z]+/) });
    }
    expect(readings).toMatchObject({
      perf: { installed: false },
      qemu: { installed: false },
      kvm: { device: "absent", guests: [] },
      snp: { sevDevice: false, guestDevice: false },
    });
  });

  test("kernel: build options from /proc/config.gz; of the command line only what we know", () => {
    files({
      "proc/sys/kernel/osrelease": "6.12.43-amd64\n",
      "proc/sys/kernel/version": "#1 SMP (2025-08-27)\n",
      "proc/sys/kernel/arch": "x86_64\n",
      "proc/cmdline": "root=UUID=secret nopvspin debug_pagealloc=on password=x kvm_amd.sev_snp=1\n",
      "proc/config.gz": gzipSync("CONFIG_PARAVIRT=y\n# CONFIG_KALLSYMS_ALL is not set\n"),
    });
    expect(readKernel(root)).toEqual({
      release: "6.12.43-amd64",
      build: "#1 SMP (2025-08-27)",
      arch: "x86_64",
      parameters: ["nopvspin", "debug_pagealloc=on", "kvm_amd.sev_snp=1"],
      config: {
        KALLSYMS_ALL: "n",
        PARAVIRT: "y",
        PARAVIRT_SPINLOCKS: "n",
        PREEMPT_RT: "n",
        SECRETMEM: "n",
      },
      btf: false,
    });
  });

  test("settings that do not exist are absent, not zero", () => {
    files({
      "proc/sys/kernel/perf_event_paranoid": "-1\n",
      "sys/kernel/security/lockdown": "none [integrity] confidentiality\n",
    });
    expect(readSettings(root)).toEqual({ perfEventParanoid: -1, lockdown: "integrity" });
  });

  test("process: a root without CAP_SYS_RESOURCE, as in many a container", () => {
    files({
      "proc/self/status": "Name:\tnode\nUid:\t0\t0\t0\t0\nCapEff:\t000001fffeffffff\n",
      "proc/self/limits":
        "Max locked memory         8388608              unlimited            bytes     \n",
    });
    const { capabilities, ...rest } = readProcess(root);
    expect(rest).toEqual({ uid: 0, memlockSoftBytes: 8388608, memlockHardBytes: "unlimited" });
    expect(capabilities).toContain("IPC_LOCK");
    expect(capabilities).not.toContain("SYS_RESOURCE");
  });

  test("CPUs: counted by the online list, the hypervisor betrayed by its clock", () => {
    files({
      "proc/cpuinfo":
        "processor\t: 0\nvendor_id\t: AuthenticAMD\nmodel name\t: AMD EPYC \nflags\t\t: fpu hypervisor svm\n",
      "sys/devices/system/cpu/online": "0-3,8\n",
      "sys/devices/system/node/node0/x": "",
      "sys/devices/system/node/node1/x": "",
      "sys/devices/system/clocksource/clocksource0/available_clocksource": "tsc kvm-clock \n",
    });
    expect(readCpus(root)).toEqual({
      model: "AMD EPYC",
      vendor: "AuthenticAMD",
      onlineCount: 5,
      numaNodeCount: 2,
      flags: ["hypervisor", "svm"],
      hypervisor: "KVM",
    });
  });

  test("kallsyms: zero addresses are hidden ones; a few data symbols are section edges", async () => {
    files({ "proc/kallsyms": "0000000000000000 T _stext\n0000000000000000 b cpa_lock\n" });
    expect(await readKallsyms(root)).toEqual({
      lines: 2,
      addresses: false,
      dataSymbols: false,
      names: ["cpa_lock"],
    });
    const data = Array.from(
      { length: 1500 },
      (_, i) => `ffffffff8300${String(i).padStart(4, "0")} d d${i}\n`,
    );
    files({ "proc/kallsyms": `ffffffff81000000 t collapse_large_pages\n${data.join("")}` });
    expect(await readKallsyms(root)).toMatchObject({
      addresses: true,
      dataSymbols: true,
      names: ["collapse_large_pages"],
    });
  });

  test("kernel log: whether it still begins with the boot is told by its first number", async () => {
    const line = "6,340,109735,-;kvm-guest: PV spinlocks enabled\n";
    files({ "dev/kmsg": `5,0,0,-;Linux version 6.18\n${line}` });
    expect(await readKernelLog(root, 1000, signal)).toEqual({
      source: "/dev/kmsg",
      fromBoot: true,
      lines: ["kvm-guest: PV spinlocks enabled"],
    });
    files({ "dev/kmsg": line });
    expect(await readKernelLog(root, 1000, signal)).toMatchObject({ fromBoot: false });
  });

  test("tracefs: our own private mount does not count; an empty mount point is not a mount", () => {
    files({
      "proc/filesystems": "nodev\tproc\nnodev\ttracefs\n",
      "proc/self/mounts": "proc /proc proc rw 0 0\nbootstorm /run/bootstorm/7-1 tracefs rw 0 0\n",
      "sys/kernel/tracing/.keep": "",
    });
    expect(readTracing(root)).toEqual({ inKernel: true, mounts: [] });
    files({
      "proc/self/mounts": "nodev /sys/kernel/tracing tracefs rw 0 0\n",
      "sys/kernel/tracing/events/lock/contention_begin/id": "1",
      "sys/kernel/tracing/instances/.keep": "",
    });
    expect(readTracing(root)).toEqual({
      inKernel: true,
      mounts: ["/sys/kernel/tracing"],
      contentionEvents: true,
      instancesWritable: true,
    });
  });

  test("cgroup: version 2 beside version 1 is hybrid, with the controllers that are left to it", () => {
    files({
      "proc/self/mounts":
        "cgroup /sys/fs/cgroup/cpu cgroup rw,cpu 0 0\ncgroup2 /sys/fs/cgroup/unified cgroup2 rw 0 0\n",
      "sys/fs/cgroup/unified/cgroup.controllers": "hugetlb\n",
    });
    expect(readCgroup(root)).toEqual({
      mode: "hybrid",
      v2Path: "/sys/fs/cgroup/unified",
      controllers: ["hugetlb"],
    });
  });

  test("SNP: KVM's parameter and the two devices", () => {
    files({ "sys/module/kvm_amd/parameters/sev_snp": "Y\n", "dev/sev": "" });
    expect(readSnp(root)).toEqual({ kvmParameter: "Y", sevDevice: true, guestDevice: false });
  });
});

describe("memfd_secret", () => {
  const libc = (fd: number, closed: number[]) => () => ({
    syscall: () => fd,
    close: (one: number) => closed.push(one),
    errno: () => 38,
  });

  test("what is opened is closed", () => {
    const closed: number[] = [];
    expect(readSecretmem(libc(7, closed))).toEqual({ usable: true });
    expect(closed).toEqual([7]);
  });

  test("a refusal keeps its name; without koffi nothing is claimed", () => {
    expect(readSecretmem(libc(-1, []))).toEqual({ usable: false, errno: "ENOSYS" });
    const none = () => {
      throw new BootstormError("NO_KOFFI", "no", { why: "koffi did not load", exit: EXIT.host });
    };
    expect(readSecretmem(none)).toEqual({ unreadable: "koffi did not load" });
  });
});

describe("programs", () => {
  const limitMs = 60_000;

  test.each([
    ["perf", "perf version 6.1.192", "6.1.192"],
    ["bpftrace", "bpftrace v0.17.0", "0.17.0"],
    ["qemu-system-x86_64", "QEMU emulator version 7.2.22 (Debian 1:7.2+dfsg-7)", "7.2.22"],
  ])("%s tells its version", async (name, said, version) => {
    const path = program(name, `echo '${said}'`);
    expect(await readProgram(name, { path, limitMs, signal })).toEqual({
      installed: true,
      version,
    });
  });

  test("a program that is there and does not start is not missing: it says why", async () => {
    const path = program("perf", "echo 'WARNING: perf not found for kernel 6.8.0' >&2; exit 2");
    expect(await readProgram("perf", { path, limitMs, signal })).toEqual({
      unreadable: "perf --version: WARNING: perf not found for kernel 6.8.0",
    });
  });
});

describe("KVM, with QEMU played by a script", () => {
  // $* holds `-accel kvm -cpu host …`
  const HOST_ABORTS =
    'case "$*" in *"kvm -cpu host"*) echo "qemu-system-x86_64: error: failed to set MSR" >&2; kill -ABRT $$;; esac';
  const FIRMWARE = 'echo "SeaBIOS (version 1.16.2)"';
  const KERNEL = 'echo "[    0.000000] Linux version 6.1.0"';
  const ONLY_TCG_BOOTS = `case "$*" in *"-accel tcg"*) ${KERNEL};; *) echo "Probing EDD"; exit 1;; esac`;

  function probe(script: string, more = {}) {
    files({ "dev/kvm": "", "boot/vmlinuz-6.1": "" });
    const path = program("qemu-system-x86_64", script);
    const options = { root, path, release: "6.1", kernelImage: undefined, limitMs: 60_000, signal };
    return readKvm({ ...options, ...more });
  }
  const course = (
    guests: readonly {
      accel: string;
      cpu: string;
      firmware: string;
      kernel: string;
      exit: string;
    }[],
  ) =>
    guests.map(
      ({ accel, cpu, firmware, kernel, exit }) => `${accel} ${cpu}: ${firmware} ${kernel} ${exit}`,
    );

  test("a guest that boots at once is the only one", async () => {
    const kvm = await probe(`${FIRMWARE}; ${KERNEL}`);
    expect(kvm.kernelImage).toBe(join(root, "boot/vmlinuz-6.1"));
    expect(course(kvm.guests)).toEqual(["kvm host: progress progress exited"]);
  });

  test("-cpu host aborts: the plain CPU model is tried, and QEMU's complaint is kept", async () => {
    const { guests } = await probe(`${HOST_ABORTS}; ${FIRMWARE}; ${KERNEL}`);
    expect(course(guests)).toEqual([
      "kvm host: none none signalled",
      "kvm qemu64: progress progress exited",
    ]);
    expect(guests[0]!.complaint).toBe("error: failed to set MSR");
  });

  test("no kernel makes progress: the same guest is booted without KVM, to know whose fault it is", async () => {
    const { guests } = await probe(`${FIRMWARE}; ${ONLY_TCG_BOOTS}`);
    expect(course(guests)).toEqual([
      "kvm host: progress none exited",
      "kvm qemu64: progress none exited",
      "tcg max: progress progress exited",
    ]);
    expect(guests[1]!.lastLine).toBe("Probing EDD");
  });

  test("a guest that stands still is killed at the limit, with everything it printed before", async () => {
    const hang = `case "$*" in *"-accel tcg"*) echo $$ > ${root}/pid; ${FIRMWARE}; exec sleep 1000;; esac`;
    const { guests } = await probe(hang, { limitMs: 3_000 });
    expect(course(guests)).toEqual([
      "kvm host: none none exited",
      "kvm qemu64: none none exited",
      "tcg max: progress none timeout",
    ]);
    const pid = Number(readFileSync(join(root, "pid"), "utf8"));
    expect(() => process.kill(pid, 0)).toThrow("ESRCH");
  });

  test("an abort ends the guest that runs and starts no other", async () => {
    const controller = new AbortController();
    const { guests } = await probe("exec sleep 1000", {
      signal: controller.signal,
      onGuest: () => setImmediate(() => controller.abort()),
    });
    expect(course(guests)).toEqual(["kvm host: none none signalled"]);
  });

  test("no QEMU: the device alone is reported, and nothing claimed", async () => {
    files({ "dev/kvm": "" });
    const options = { root, release: "6.1", kernelImage: undefined, limitMs: 60_000, signal };
    expect(await readKvm({ ...options, path: "/nowhere" })).toEqual({
      device: "opened",
      notBooted: "qemu-system-x86_64 is not installed",
      guests: [],
    });
  });

  test("the running kernel is the first choice for the guest, then the newest by name", () => {
    files({ "boot/vmlinuz-6.1": "", "boot/vmlinuz-6.2": "" });
    expect(findKernelImage(root, "6.1")).toBe(join(root, "boot/vmlinuz-6.1"));
    expect(findKernelImage(root, "5.0")).toBe(join(root, "boot/vmlinuz-6.2"));
    expect(findKernelImage(join(root, "boot"), "6.1")).toBeUndefined();
  });
});
