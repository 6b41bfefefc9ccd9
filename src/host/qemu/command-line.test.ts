import fc from "fast-check";
import { expect, test } from "vitest";
import { expectGolden } from "../../../test/golden.ts";
import {
  type CommandProfile,
  DEFAULT_MACHINE,
  machineProfile,
  plainSnpProfile,
  type TinyProfile,
} from "../../core/scenario/machine.ts";
import {
  commandLine,
  type FoundForQemu,
  type Machine,
  plainTwin,
  type VmPlace,
} from "./command-line.ts";

const VM: VmPlace = {
  name: "vm-3",
  index: 3,
  dir: "/run/round-1/vm-3",
  memoryMiB: 256,
  vcpus: 2,
  cpus: "0-3",
};
const TCG: FoundForQemu = {
  program: "qemu-system-x86_64",
  accelerator: "tcg",
  cpu: "max",
  kernel: "/cache/vmlinux",
  initramfs: "/cache/initramfs.cpio",
  tscKhz: 2_596_120,
};
const KVM: FoundForQemu = { ...TCG, accelerator: "kvm", cpu: "host" };
const { tscKhz: _, ...WITHOUT_TSC } = TCG;
const FIRMWARE = "/usr/share/ovmf/OVMF.amdsev.fd";
const C_BIT = { cbitpos: 51, reducedPhysBits: 5 };
const SNP_PROFILE = plainSnpProfile(FIRMWARE);
const SNP: FoundForQemu = {
  ...TCG,
  accelerator: "snp",
  cpu: "EPYC-v4",
  kernel: "/boot/vmlinuz",
  firmware: FIRMWARE,
  snp: { ...SNP_PROFILE, ...C_BIT },
};

const { kernel: __, initramfs: ___, ...FROM_DISK } = SNP;

const tiny = (changes: Partial<TinyProfile>, found = TCG): Machine => ({
  kind: "qemu",
  profile: { ...DEFAULT_MACHINE, ...changes },
  found,
});

const base64 = (bytes: number) => Buffer.alloc(bytes, 7).toString("base64");
const attested = machineProfile.parse({
  kind: "snp",
  firmware: FIRMWARE,
  idBlock: base64(96),
  idAuth: base64(4096),
  authorKey: true,
  vcekDisabled: true,
  hostData: base64(32),
  guestVisibleWorkarounds: base64(16),
  policy: 0xb0000,
  kernelHashes: false,
});
if (attested.kind !== "snp") throw new Error("not an SNP profile");

const cloudHypervisor: CommandProfile = {
  kind: "command",
  command: [
    ...["taskset", "-c", "{cpus}", "cloud-hypervisor", "--kernel", "/boot/vmlinux"],
    ...["--memory", "size={memoryMiB}M", "--cpus", "boot={vcpus}", "--console", "off"],
    ...["--serial", "tty", "--api-socket", "{dir}/api.sock", "--platform", "serial_number={index}"],
  ],
  readyText: "login:",
  milestones: { kernel: "Linux version" },
  readyTimeoutS: 60,
};

interface Case {
  readonly title: string;
  readonly machine: Machine;
  readonly vm?: Partial<VmPlace>;
}

const cases: readonly Case[] = [
  ...(["microvm", "pc", "q35"] as const).flatMap((machine) => [
    { title: `tiny, ${machine}, TCG`, machine: tiny({ machine }) },
    { title: `tiny, ${machine}, KVM`, machine: tiny({ machine }, KVM) },
  ]),
  { title: "tiny, rate of the TSC not known", machine: tiny({}, WITHOUT_TSC) },
  {
    title: "tiny, everything the profile can add, and orders for the guest",
    machine: tiny({
      append: "mitigations=off",
      disk: "/images/a,b.qcow2",
      extraArgs: ["-snapshot"],
    }),
    vm: { orders: { after: "exit", fault: "panic" } },
  },
  { title: "tiny, pc, a raw disk", machine: tiny({ machine: "pc", disk: "/images/disk.img" }) },
  { title: "tiny, SNP", machine: tiny({}, SNP) },
  { title: "snp", machine: { kind: "qemu", profile: SNP_PROFILE, found: SNP } },
  {
    title: "snp, its plain twin",
    machine: { kind: "qemu", profile: SNP_PROFILE, found: plainTwin(SNP) },
  },
  {
    title: "snp, everything the profile can say",
    machine: {
      kind: "qemu",
      profile: attested,
      found: { ...SNP, snp: { ...attested, ...C_BIT } },
    },
  },
  {
    title: "snp, the firmware boots a disk",
    machine: {
      kind: "qemu",
      profile: { ...SNP_PROFILE, disk: "/images/guest.qcow2" },
      found: FROM_DISK,
    },
  },
  { title: "command", machine: { kind: "command", profile: cloudHypervisor } },
];

test("the command line of every kind of machine", () => {
  const text = cases.map(({ title, machine, vm }) => textOf(title, machine, { ...VM, ...vm }));
  expectGolden("storm/command-lines.txt", text.join("\n"));
});

test("a guest that is not confidential is its own plain twin", () => {
  expect(plainTwin(TCG)).toEqual(TCG);
});

test("a name is one value to QEMU, whatever it holds", () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.constant("x,process=y\n-S,,")), (name) => {
      const { args } = commandLine(tiny({}), { ...VM, name });
      expect(optionsOf(args[args.indexOf("-name") + 1]!)).toEqual([
        ["guest", name],
        ["debug-threads", "on"],
      ]);
    }),
  );
});

test("a path is one value to QEMU, whatever it holds", () => {
  fc.assert(
    fc.property(fc.oneof(fc.string({ minLength: 1 }), fc.constant("/a,file=/b")), (disk) => {
      const { args } = commandLine(tiny({ disk }), VM);
      const options = optionsOf(args[args.indexOf("-drive") + 1]!);
      expect(options.filter(([key]) => key === "file")).toEqual([["file", disk]]);
      expect(options.length).toBe(5);
    }),
  );
});

test("what a VM's name says never becomes a placeholder or a further word of a command", () => {
  const { program, args } = commandLine(
    { kind: "command", profile: { ...cloudHypervisor, command: ["{name}", "a {name} b"] } },
    { ...VM, name: "{dir} -x" },
  );
  expect([program, ...args]).toEqual(["{dir} -x", "a {dir} -x b"]);
});

/** QEMU's rule for lists of options: a comma ends a value, two are one comma in it (opts_parse). */
function optionsOf(list: string): [key: string, value: string][] {
  const options: [string, string][] = [];
  let rest = list;
  while (rest !== "") {
    const [, key, value, after] = /^([\w-]+)=((?:[^,]|,,)*)(?:,|$)([\s\S]*)$/.exec(rest)!;
    options.push([key!, value!.replaceAll(",,", ",")]);
    rest = after!;
  }
  return options;
}

function textOf(title: string, machine: Machine, vm: VmPlace): string {
  const { program, args, channels, consoleMarks } = commandLine(machine, vm);
  const words = args
    .map((word) => (/[\s"]/.test(word) ? JSON.stringify(word) : word))
    .map((word) => word.replace(/([\w+/]{8})[\w+/]{80,}/g, "$1…"));
  // One option a line: an argument that begins with a dash takes those that follow.
  const options = words.join(" ").replaceAll(/ (?=-)/g, "\n  ");
  const watched = `  channels ${JSON.stringify(channels)}\n  marks    ${JSON.stringify(consoleMarks)}`;
  return `${title}\n  ${program}\n  ${options}\n${watched}\n`;
}
