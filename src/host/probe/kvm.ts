import { accessSync, closeSync, constants, openSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { stripVTControlCharacters } from "node:util";
import type { GuestRun, KvmReading } from "../../core/facts/host-readings.ts";
import { onLeash } from "../exec/leash.ts";
import { type ProgramResult, runProgram } from "../exec/run.ts";

export interface KvmProbe {
  readonly root: string;
  /** Where to look for programs, as in the environment variable PATH. */
  readonly path: string;
  /** `uname -r`, to find the kernel that runs here; it boots a guest as well. */
  readonly release: string;
  /** Another kernel for the guest. */
  readonly kernelImage: string | undefined;
  /** For one guest. */
  readonly limitMs: number;
  readonly signal: AbortSignal;
  onGuest?(what: string): void;
}

/**
 * Boots real guests, because nothing less tells: on some hosts /dev/kvm opens, its ioctls answer
 * and a guest's firmware runs, and yet no kernel gets anywhere (KVM inside a VM, for one).
 * First with all the host's CPU features, then with few. When no kernel makes progress, the same
 * guest is booted without KVM: then it is known whose fault it is.
 */
export async function readKvm(probe: KvmProbe): Promise<KvmReading> {
  const device = openKvm(probe.root);
  if (device !== "opened") return { device, guests: [] };
  const kernelImage = probe.kernelImage ?? findKernelImage(probe.root, probe.release);
  const guests: GuestRun[] = [];
  const boot = async (accel: GuestRun["accel"], cpu: string): Promise<GuestRun> => {
    probe.onGuest?.(`booting a guest: ${accel.toUpperCase()}, -cpu ${cpu}`);
    const guest = await bootGuest(accel, cpu, kernelImage, probe);
    guests.push(guest);
    return guest;
  };
  for (const cpu of ["host", "qemu64"]) {
    const guest = await boot("kvm", cpu);
    if (guest.exit === "missing") {
      return { device, notBooted: "qemu-system-x86_64 is not installed", guests: [] };
    }
    if (arrived(guest) || probe.signal.aborted) break;
  }
  if (!guests.some(arrived) && !probe.signal.aborted) await boot("tcg", "max");
  return { device, ...(kernelImage === undefined ? {} : { kernelImage }), guests };
}

/** May this process open the device? Boots nothing. */
export function openKvm(root: string): KvmReading["device"] {
  try {
    closeSync(openSync(join(root, "/dev/kvm"), constants.O_RDWR));
    return "opened";
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    return code === "EACCES" || code === "EPERM" ? "denied" : "absent";
  }
}

/** A kernel that this process may read, the running one first. */
export function findKernelImage(root: string, release: string): string | undefined {
  const candidates = [
    `/boot/vmlinuz-${release}`,
    `/lib/modules/${release}/vmlinuz`,
    ...otherKernels(root),
    "/boot/vmlinuz",
    "/vmlinuz",
  ].map((path) => join(root, path));
  return candidates.find((path) => {
    try {
      accessSync(path, constants.R_OK);
      return true;
    } catch {
      return false;
    }
  });
}

function otherKernels(root: string): string[] {
  try {
    const names = readdirSync(join(root, "/boot")).filter((name) => name.startsWith("vmlinuz-"));
    return names
      .sort()
      .reverse()
      .map((name) => `/boot/${name}`);
  } catch {
    return []; // no /boot, as in a container
  }
}

/** As far as this guest can get: there is no disk, so its kernel panics, and QEMU ends. */
function arrived(guest: GuestRun): boolean {
  return guest.firmware === "progress" && guest.kernel !== "none";
}

async function bootGuest(
  accel: GuestRun["accel"],
  cpu: string,
  kernelImage: string | undefined,
  { path, limitMs, signal }: KvmProbe,
): Promise<GuestRun> {
  const startedMs = performance.now();
  const args = guestArgs(accel, cpu, kernelImage);
  const ended = await runProgram(...onLeash("qemu-system-x86_64", args, limitMs), {
    limitMs,
    signal,
    env: { ...process.env, PATH: path },
  });
  return {
    accel,
    cpu,
    ...progressOf(ended.stdout, kernelImage !== undefined),
    ...exitOf(ended),
    limitMs,
    elapsedMs: Math.round(performance.now() - startedMs),
    ...complaintOf(ended.stderr),
  };
}

/**
 * Firmware (port 0x402 is where SeaBIOS logs) and kernel speak on the same standard output.
 * The guest has no disk: without a kernel its firmware gives up and reboots, with one the kernel
 * panics and reboots, and at a reboot QEMU ends.
 */
function guestArgs(accel: string, cpu: string, kernelImage: string | undefined): string[] {
  const kernel =
    kernelImage === undefined
      ? []
      : [
          "-kernel",
          kernelImage,
          "-append",
          "console=ttyS0 earlyprintk=serial,ttyS0,115200 panic=-1",
        ];
  return [
    ...["-accel", accel, "-cpu", cpu, "-m", "256", "-smp", "1"],
    ...["-nodefaults", "-no-user-config", "-display", "none"],
    ...["-no-reboot", "-boot", "reboot-timeout=0"],
    ...["-chardev", "stdio,id=out,mux=on", "-serial", "chardev:out"],
    ...["-device", "isa-debugcon,iobase=0x402,chardev=out"],
    ...kernel,
  ];
}

function progressOf(
  output: string,
  hasKernel: boolean,
): Pick<GuestRun, "firmware" | "kernel" | "lastLine"> {
  const lastLine = stripVTControlCharacters(output)
    .split(/[\r\n]+/)
    .filter((line) => line.trim() !== "")
    .at(-1);
  const kernel = /Linux version \d/.test(output) ? "progress" : "none";
  return {
    firmware: /SeaBIOS \(version/.test(output) ? "progress" : "none",
    kernel: hasKernel ? kernel : "not-tried",
    ...(lastLine === undefined ? {} : { lastLine: lastLine.slice(0, 200) }),
  };
}

/** The shell reports a program it cannot find with status 127. */
function exitOf({ status, code }: ProgramResult): Pick<GuestRun, "exit" | "code"> {
  if (code === 127) return { exit: "missing" };
  return { exit: status, ...(code === undefined ? {} : { code }) };
}

/** `qemu-system-x86_64: error: failed to set MSR 0x10a to 0x69`; warnings are no reason. */
function complaintOf(stderr: string): Pick<GuestRun, "complaint"> {
  const line = stderr.split("\n").find((text) => text !== "" && !text.includes(": warning: "));
  return line === undefined ? {} : { complaint: line.replace(/^qemu-system-x86_64: /, "") };
}
