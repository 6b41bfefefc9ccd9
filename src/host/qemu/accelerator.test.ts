// The choice on hosts drawn as folders of files, with QEMU drawn as a shell script.
import {
  chmodSync,
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { BootstormError, EXIT } from "../../core/error.ts";
import { DEFAULT_MACHINE, plainSnpProfile } from "../../core/scenario/machine.ts";
import { openCache } from "../store/cache.ts";
import { type AcceleratorAsk, chooseAccelerator } from "./accelerator.ts";
import { findQemu } from "./version.ts";

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "bootstorm-test-"));
});
afterEach(() => rmSync(root, { recursive: true }));

function file(path: string, text: string): string {
  const whole = join(root, path);
  mkdirSync(dirname(whole), { recursive: true });
  writeFileSync(whole, text);
  return whole;
}

function script(path: string, text: string): string {
  const whole = file(path, `#!/bin/sh\n${text}\n`);
  chmodSync(whole, 0o755);
  return whole;
}

const remove = (path: string) => rmSync(join(root, path), { recursive: true });

/** A host that can do everything, and a QEMU with which every guest boots. */
function ableHost(): void {
  file("proc/cpuinfo", "flags\t\t: fpu svm sev sev_es sev_snp\n");
  file("proc/sys/kernel/random/boot_id", "first\n");
  file("sys/module/kvm_amd/parameters/sev_snp", "Y\n");
  file("dev/kvm", "");
  file("dev/sev", "");
  file("usr/share/ovmf/OVMF.amdsev.fd", "");
  cpuid({ eax: 0x1f, ebx: 51 | (5 << 6) });
  qemu('echo "bootstorm: init 1.07"');
}

/** As the driver answers: 16 bytes at the leaf's place. */
function cpuid({ eax, ebx }: { eax: number; ebx: number }): void {
  const registers = Buffer.alloc(16);
  registers.writeUInt32LE(eax, 0);
  registers.writeUInt32LE(ebx, 4);
  const handle = openSync(file("dev/cpu/0/cpuid", ""), "r+");
  writeSync(handle, registers, 0, 16, 0x8000_001f);
  closeSync(handle);
}

/** Writes its arguments down, then does what is asked. */
function qemu(work: string): void {
  script("bin/qemu", `echo "$*" >>${root}/started\n${work}`);
}

function started(): string[] {
  try {
    return readFileSync(join(root, "started"), "utf8").trim().split("\n");
  } catch {
    return [];
  }
}

function choose(changes: Partial<AcceleratorAsk> = {}) {
  return chooseAccelerator({
    profile: DEFAULT_MACHINE,
    qemu: { program: join(root, "bin/qemu"), version: "9.1.0" },
    kernel: async (as) => ({ path: `/${as}`, sha256: as }),
    initramfs: "/initramfs",
    cache: openCache(join(root, "cache")),
    signal: new AbortController().signal,
    root,
    ...changes,
  });
}

test("where SNP guests boot, they are taken; the C-bit is what the CPU says", async () => {
  ableHost();
  const choice = await choose();
  expect(choice).toMatchObject({
    accelerator: "snp",
    cpu: "EPYC-v4",
    kernel: "/bzImage",
    firmware: join(root, "usr/share/ovmf/OVMF.amdsev.fd"),
    snp: { cbitpos: 51, reducedPhysBits: 5, policy: 0x30000 },
    refused: [],
  });
  expect(started()).toEqual([
    expect.stringMatching(/ -object sev-snp-guest,.*cbitpos=51.* -kernel \/bzImage /),
  ]);
});

test("what the profile says of the C-bit and the firmware comes first", async () => {
  ableHost();
  remove("dev/cpu");
  const profile = { ...plainSnpProfile("/my/OVMF.fd"), cbitpos: 47, reducedPhysBits: 1 };
  expect(await choose({ profile })).toMatchObject({
    firmware: "/my/OVMF.fd",
    snp: { cbitpos: 47, reducedPhysBits: 1 },
  });
});

const noKernel = () =>
  Promise.reject(
    new BootstormError("NO_KERNEL", "there is none", { why: "it is gone", exit: EXIT.host }),
  );

/** A loss that shows in the host's files alone. */
const without = (lose: () => void) => () => {
  lose();
  return {};
};

const lacks: readonly [reason: string, evidence: string, lose: () => Partial<AcceleratorAsk>][] = [
  [
    "no-cpu-support",
    "no sev_snp flag in /proc/cpuinfo",
    without(() => file("proc/cpuinfo", "flags\t\t: fpu svm\n")),
  ],
  [
    "not-enabled",
    "kvm_amd's parameter sev_snp is N",
    without(() => file("sys/module/kvm_amd/parameters/sev_snp", "N\n")),
  ],
  ["no-device", "/dev/sev: ENOENT", without(() => remove("dev/sev"))],
  [
    "qemu-too-old",
    "QEMU 9.0.2, SNP needs 9.1",
    () => ({ qemu: { program: join(root, "bin/qemu"), version: "9.0.2" } }),
  ],
  ["no-firmware", "no OVMF.amdsev.fd where it usually is", without(() => remove("usr/share/ovmf"))],
  ["no-c-bit", "/dev/cpu/0/cpuid cannot be read", without(() => remove("dev/cpu"))],
  ["no-c-bit", "the CPU says that it encrypts no memory", without(() => cpuid({ eax: 0, ebx: 0 }))],
  [
    "no-kernel",
    "there is none: it is gone",
    () => ({
      kernel: (as) =>
        as === "bzImage" ? noKernel() : Promise.resolve({ path: "/pvh", sha256: "" }),
    }),
  ],
];

test.each(lacks)("SNP is refused for %s (%s), and KVM is taken", async (reason, evidence, lose) => {
  ableHost();
  const choice = await choose(lose());
  expect(choice).toMatchObject({ accelerator: "kvm", cpu: "host", kernel: "/pvh" });
  expect(choice.refused).toEqual([
    { accelerator: "snp", reason, evidence: expect.stringContaining(evidence) },
  ]);
});

test("SNP that is asked for and refused: nothing else is tried, and the error tells why", async () => {
  ableHost();
  remove("dev/sev");
  const error = await choose({ profile: plainSnpProfile("/OVMF.fd") }).catch((thrown) => thrown);
  expect(error).toMatchObject({ code: "NO_ACCELERATOR", why: "snp: /dev/sev: ENOENT" });
  expect(started()).toEqual([]);
});

/** With KVM as the best that this host could have. */
function kvmHost(work: string): void {
  ableHost();
  remove("dev/sev");
  qemu(work);
}

test("a CPU model that QEMU aborts with gives way to the next", async () => {
  kvmHost(`case "$*" in *"-cpu host"*) echo "error: failed to set MSR 0x10a" >&2; kill -ABRT $$;; esac
    echo "bootstorm: init 1"`);
  expect(await choose()).toMatchObject({ accelerator: "kvm", cpu: "qemu64" });
});

test("where no guest gets anywhere with KVM it is emulated, and each attempt is told", async () => {
  kvmHost(`case "$*" in
    *"-accel tcg"*) echo "bootstorm: init 1";;
    *"-cpu host"*) echo "qemu-system-x86_64: warning: x" >&2; echo "qemu-system-x86_64: error: no" >&2; exit 1;;
    *) printf 'Linux version 6\\r\\n\\033[31mOops\\r\\n';;
  esac`);
  const choice = await choose();
  expect(choice).toMatchObject({ accelerator: "tcg", cpu: "max", kernel: "/pvh" });
  expect(choice.refused[1]).toEqual({
    accelerator: "kvm",
    reason: "guest-ended",
    evidence:
      '-cpu host: QEMU ended with status 1: error: no; -cpu qemu64: the guest ended after "Oops"',
  });
});

test("a guest that boots nowhere is an error with every reason", async () => {
  kvmHost("exit 3");
  const error = await choose().catch((thrown) => thrown);
  expect(error).toMatchObject({
    code: "NO_ACCELERATOR",
    remedies: [expect.stringContaining("kernel")],
  });
  expect(error.why).toBe(
    "snp: /dev/sev: ENOENT; kvm: -cpu host: QEMU ended with status 3; -cpu qemu64: QEMU ended with status 3; tcg: -cpu max: QEMU ended with status 3",
  );
});

test("what a guest has shown holds until the host boots again, or QEMU or the kernel changes", async () => {
  kvmHost('case "$*" in *"-accel kvm"*) exit 1;; esac; echo "bootstorm: init 1"');
  const first = await choose();
  expect(started().length).toBe(3);
  const again = await choose();
  expect(started().length, "nothing was booted").toBe(3);
  expect(again).toMatchObject({ accelerator: "tcg", cpu: "max" });
  expect(again.refused[1]).toMatchObject({
    reason: first.refused[1]!.reason,
    evidence: expect.stringMatching(/remembered in .*cache\/accelerator-kvm-/),
  });

  file("proc/sys/kernel/random/boot_id", "second\n");
  await choose();
  expect(started().length).toBe(6);
  await choose({ qemu: { program: join(root, "bin/qemu"), version: "9.2.0" } });
  expect(started().length).toBe(9);
  await choose({ kernel: async (as) => ({ path: `/${as}`, sha256: "another" }) });
  expect(started().length).toBe(12);
});

test("a memory that cannot be read is none", async () => {
  kvmHost('echo "bootstorm: init 1"');
  await choose();
  for (const name of readdirSync(join(root, "cache"))) file(`cache/${name}`, '{"cpu":7}');
  expect(await choose()).toMatchObject({ accelerator: "kvm", cpu: "host" });
  expect(started().length).toBe(2);
});

test("given up while a guest is tried, nothing is remembered", async () => {
  const giveUp = new AbortController();
  kvmHost("exec sleep 60");
  const onStep = () => queueMicrotask(() => giveUp.abort(new Error("given up")));
  await expect(choose({ signal: giveUp.signal, onStep })).rejects.toThrow("given up");
  expect(readdirSync(join(root, "cache"))).toEqual([]);
});

test.each([
  ["7.2.22 (Debian 1:7.2+dfsg-7)", "7.2.22"],
  ["6.0.0", "6.0.0"],
])("QEMU %s is taken", async (said, version) => {
  script("bin/qemu-system-x86_64", `echo "QEMU emulator version ${said}"`);
  const found = await findQemu({ signal: new AbortController().signal, path: join(root, "bin") });
  expect(found).toEqual({ program: "qemu-system-x86_64", version });
});

test.each([
  ["missing", undefined, "NO_QEMU", "qemu-system-x86_64 is not in PATH"],
  [
    "too old",
    'echo "QEMU emulator version 5.2.0"',
    "QEMU_TOO_OLD",
    "need options it does not have",
  ],
  ["broken", "echo no libpixman >&2; exit 127", "NO_QEMU", "no libpixman"],
])("QEMU that is %s: an error with the remedy", async (_, work, code, why) => {
  if (work !== undefined) script("bin/qemu-system-x86_64", work);
  const path = join(root, "bin");
  const error = await findQemu({ signal: new AbortController().signal, path }).catch((e) => e);
  expect(error).toMatchObject({ code, why: expect.stringContaining(why) });
  expect(error.remedies.length).toBeGreaterThan(0);
});
