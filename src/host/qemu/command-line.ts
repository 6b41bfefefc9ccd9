// What is started for a VM: program, arguments, and how its signs of life will be known. Pure.
import {
  type CommandProfile,
  fillPlaceholders,
  type SnpProfile,
  type TinyProfile,
} from "../../core/scenario/machine.ts";
import type { GuestMilestone } from "./milestones.ts";
import { optionValue } from "./option-value.ts";
import { SNP_OBJECT_ID, type SnpSettings, snpObject } from "./snp-line.ts";
import type { Channels } from "./vm-process.ts";

/** A profile, and what this host has for it. */
export type Machine =
  | {
      readonly kind: "qemu";
      readonly profile: TinyProfile | SnpProfile;
      readonly found: FoundForQemu;
    }
  | { readonly kind: "command"; readonly profile: CommandProfile };

/** Paths are those on the host. */
export interface FoundForQemu {
  /** `qemu-system-x86_64`. */
  readonly program: string;
  /** How guest code runs. */
  readonly accelerator: "snp" | "kvm" | "tcg";
  /** As in `-cpu`. */
  readonly cpu: string;
  /** Absent where the firmware boots the disk. */
  readonly kernel?: string;
  readonly initramfs?: string;
  /** Replaces QEMU's own. SNP needs one that knows it. */
  readonly firmware?: string;
  /** Of the host, where it is known; for emulated guests. */
  readonly tscKhz?: number;
  /** With `accelerator: "snp"`, and only then. */
  readonly snp?: SnpSettings;
}

/** What differs from VM to VM. */
export interface VmPlace {
  readonly name: string;
  /** Among all VMs of its round, from 0. */
  readonly index: number;
  /** A folder of its own. */
  readonly dir: string;
  readonly memoryMiB: number;
  readonly vcpus: number;
  /** The host's CPUs that it may use, as in `0-3,8`. */
  readonly cpus: string;
  /** For a guest with our initramfs. */
  readonly orders?: GuestOrders;
}

/** What the init script of host/guest is told, as `bootstorm.KEY=VALUE` for the kernel. */
export interface GuestOrders {
  /** What follows `ready`; default `stay`. */
  readonly after?: "exit" | "stay";
  /** A fault for tests of faults, by its name there. */
  readonly fault?: string;
}

export interface CommandLine {
  readonly program: string;
  readonly args: readonly string[];
  readonly channels: Channels;
  /** Texts on the console that tell of milestones. */
  readonly consoleMarks: Readonly<Partial<Record<GuestMilestone, string>>>;
}

/** Source: linux_banner in init/version.c; early_printk shows it as soon as the kernel runs. */
const KERNEL_SPEAKS = "Linux version ";

/**
 * The first that OVMF writes to a serial line, and Linux never does, is a terminal's control
 * sequence. Source: TerminalDxe, MdeModulePkg of EDK II
 */
const OVMF_SPEAKS = "\u001b[";

/** The same guest without confidentiality, to compare with: it keeps firmware, machine and CPU. */
export function plainTwin(found: FoundForQemu): FoundForQemu {
  const { snp, ...rest } = found;
  return snp === undefined ? found : { ...rest, accelerator: "kvm" };
}

/** For a VM that is watched: its vCPUs wait for `cont` where it speaks QMP. */
export function commandLine(machine: Machine, vm: VmPlace): CommandLine {
  return machine.kind === "qemu"
    ? watchedQemu(machine.profile, machine.found, vm)
    : userCommand(machine.profile, vm);
}

function userCommand({ command, readyText, milestones }: CommandProfile, vm: VmPlace): CommandLine {
  const { name, index, dir, memoryMiB, vcpus, cpus } = vm;
  const values = {
    ...{ name, dir, cpus },
    ...{ index: String(index), memoryMiB: String(memoryMiB), vcpus: String(vcpus) },
  };
  const [program = "", ...args] = command.map((word) => fillPlaceholders(word, values));
  const { firmware, kernel, init } = milestones;
  return {
    program,
    args,
    channels: { debugPort: false, qmp: false },
    consoleMarks: {
      ...(firmware === undefined ? {} : { firmware }),
      ...(kernel === undefined ? {} : { kernel }),
      ...(init === undefined ? {} : { init }),
      ready: readyText,
    },
  };
}

/** QEMU takes the sockets it inherits as descriptors 3, 4 and 5: no path, so none is left behind. */
function watchedQemu(
  profile: TinyProfile | SnpProfile,
  found: FoundForQemu,
  vm: VmPlace,
): CommandLine {
  // SeaBIOS logs to port 0x402. So does a debugging OVMF, and at such length that it would boot
  // slower for being listened to; qboot, the firmware of microvm, says nothing at all.
  const firmwareSpeaks = found.firmware === undefined && boardOf(profile, found) !== "microvm";
  const channels = { debugPort: true, qmp: true, firmware: firmwareSpeaks };
  return {
    program: found.program,
    args: [
      ...qemuArgs(profile, found, vm),
      ...debugPort("debug", "0xe9", 3),
      ...(firmwareSpeaks ? debugPort("firmware", "0x402", 5) : []),
      ...["-chardev", "socket,id=qmp,fd=4", "-mon", "chardev=qmp,mode=control", "-S"],
      ...profile.extraArgs,
    ],
    channels,
    consoleMarks: {
      ...(found.firmware === undefined ? {} : { firmware: OVMF_SPEAKS }),
      kernel: KERNEL_SPEAKS,
    },
  };
}

function debugPort(id: string, port: string, fd: number): string[] {
  return [
    ...["-chardev", `socket,id=${id},fd=${fd}`],
    ...["-device", `isa-debugcon,iobase=${port},chardev=${id}`],
  ];
}

/** Arguments for a guest that runs at once and speaks on standard output. */
export function qemuArgs(
  profile: TinyProfile | SnpProfile,
  found: FoundForQemu,
  vm: VmPlace,
): readonly string[] {
  const board = boardOf(profile, found);
  const { kernel, initramfs, firmware } = found;
  const { disk } = profile;
  const orders = Object.entries(vm.orders ?? {}).map(([key, value]) => `bootstorm.${key}=${value}`);
  const append = [...kernelWords(found), ...orders, profile.append]
    .filter((words) => words !== "")
    .join(" ");
  return [
    ...["-name", `guest=${optionValue(vm.name)},debug-threads=on`],
    ...["-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"],
    ...boardArgs(board, found, vm.memoryMiB),
    ...["-cpu", found.cpu, "-smp", String(vm.vcpus), "-m", `${vm.memoryMiB}M`],
    ...(firmware === undefined ? [] : ["-bios", firmware]),
    ...(kernel === undefined ? [] : ["-kernel", kernel, "-append", append]),
    ...(initramfs === undefined ? [] : ["-initrd", initramfs]),
    ...(disk === undefined ? [] : diskArgs(disk, board)),
    ...["-chardev", "stdio,id=console,signal=off", "-serial", "chardev:console"],
  ];
}

type Board = TinyProfile["machine"];

/** OVMF runs on q35; so does every guest that is to be compared with an SNP guest. */
function boardOf(profile: TinyProfile | SnpProfile, { firmware }: FoundForQemu): Board {
  return profile.kind === "tiny" && firmware === undefined ? profile.machine : "q35";
}

function boardArgs(
  board: Board,
  { accelerator, firmware, kernel, snp }: FoundForQemu,
  memoryMiB: number,
): string[] {
  const accel = ["-accel", accelerator === "tcg" ? "tcg" : "kvm"];
  if (firmware === undefined) {
    // microvm with ACPI did not boot Debian's 6.1 under emulation (QEMU 7.2).
    return ["-machine", board === "microvm" ? "microvm,acpi=off,rtc=on" : board, ...accel];
  }
  // A plain guest beside SNP guests has their machine: only what it lacks is to make a difference.
  const confidential = snp === undefined ? "" : `,confidential-guest-support=${SNP_OBJECT_ID}`;
  return [
    ...["-machine", `q35,vmport=off,smm=off,memory-backend=ram${confidential}`, ...accel],
    // The shared pages of an SNP guest. Its private ones QEMU takes from guest_memfd.
    ...["-object", `memory-backend-memfd,id=ram,size=${memoryMiB}M,share=on,prealloc=off`],
    ...(snp === undefined ? [] : ["-object", snpObject(snp, kernel !== undefined)]),
  ];
}

/**
 * Source of the words: Documentation/admin-guide/kernel-parameters.txt. loglevel=6 is the quietest
 * that still shows the kernel's first line, and some twenty more. To reboot or to panic ends QEMU
 * (-no-reboot), by a triple fault, which needs no device.
 */
function kernelWords({ accelerator, tscKhz }: FoundForQemu): string[] {
  return [
    "console=ttyS0 earlyprintk=serial,ttyS0,115200 loglevel=6 reboot=t panic=-1",
    // On a busy host the vCPU may get no CPU while the kernel counts ticks: it would panic in
    // check_timer() (3 of 336 emulated boots; none of 1,000 with this word).
    "no_timer_check",
    accelerator === "tcg" && tscKhz !== undefined ? `tsc_early_khz=${tscKhz}` : "",
  ];
}

/** All VMs share the image. What they write goes to files that QEMU has unlinked. */
function diskArgs(disk: string, board: Board): string[] {
  const format = disk.endsWith(".qcow2") ? "qcow2" : "raw";
  const device = board === "microvm" ? "virtio-blk-device" : "virtio-blk-pci";
  return [
    ...["-drive", `if=none,id=disk,format=${format},snapshot=on,file=${optionValue(disk)}`],
    ...["-device", `${device},drive=disk`],
  ];
}
