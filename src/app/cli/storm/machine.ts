// What a scenario wants booted, made ready on this host: programs, kernels, how guest code runs.

import { readFileSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import {
  bootsFromDisk,
  DEFAULT_MACHINE,
  type MachineProfile,
} from "../../../core/scenario/machine.ts";
import type { ScenarioGuests } from "../../../core/scenario/scenario.ts";
import { buildInitramfs } from "../../../host/guest/initramfs.ts";
import { findKernel, type KernelImage } from "../../../host/guest/kernel-image.ts";
import { tscKhz } from "../../../host/guest/tsc.ts";
import { chooseAccelerator, type Refusal } from "../../../host/qemu/accelerator.ts";
import { commandLine, type Machine, plainTwin } from "../../../host/qemu/command-line.ts";
import { findQemu, type Qemu } from "../../../host/qemu/version.ts";
import type { VmAsk } from "../../../host/qemu/vm.ts";
import { openCache } from "../../../host/store/cache.ts";
import type { Session } from "../run.ts";
import type { BootKind } from "./plan.ts";

/** The part of a VM's start that depends on the machine. */
export type VmStart = Pick<
  VmAsk,
  "name" | "group" | "accelerator" | "program" | "args" | "channels" | "consoleMarks" | "folder"
>;

/** What was found for one group of guests. */
export interface MachineFacts {
  readonly group: string;
  readonly profile: MachineProfile["kind"];
  readonly memoryMiB: number;
  readonly vcpus: number;
  /** Absent for commands of the user's. */
  readonly qemu?: string;
  readonly accelerator?: string;
  /** Where it is, and how it is entered. */
  readonly kernel?: string;
  /** Better ways to run guest code that do not work here, and why. */
  readonly refused: readonly Refusal[];
}

export interface StormMachine {
  readonly facts: readonly MachineFacts[];
  /** Of the largest guest. */
  readonly memoryMiB: number;
  readonly vcpus: number;
  readonly readyTimeoutS: number;
  readonly confidential: boolean;
  /** 4 KiB pages and tenant of the VM with that number, for policies. */
  askOf(index: number): { readonly pages: number; readonly tenant: number };
  /** Makes the VM's folder. */
  start(index: number, kind: BootKind, roundFolder: string): Promise<VmStart>;
}

/** @throws BootstormError where something is missing that the profile needs, with the remedy */
export async function prepareMachine(
  session: Session,
  guests: readonly ScenarioGuests[],
): Promise<StormMachine> {
  const found = guests.map(async (group) => ({ group, ...(await prepareGroup(session, group)) }));
  const groups = await Promise.all(found);
  // VMs take the groups in turn, each as often as it counts: any number of them keeps the mixture.
  const turns = groups.flatMap((each) => Array.from({ length: each.group.count }, () => each));
  const ofVm = (index: number) => turns[index % turns.length]!;
  return {
    facts: groups.map(({ facts }) => facts),
    memoryMiB: Math.max(...guests.map(({ memoryMiB }) => memoryMiB)),
    vcpus: Math.max(...guests.map(({ vcpus }) => vcpus)),
    readyTimeoutS: Math.max(
      ...guests.map(({ machine }) => (machine ?? DEFAULT_MACHINE).readyTimeoutS),
    ),
    confidential: groups.every(({ facts }) => facts.accelerator === "snp"),
    askOf(index) {
      const { memoryMiB, tenant } = ofVm(index).group;
      return { pages: memoryMiB * 256, tenant };
    },
    async start(index, kind, roundFolder) {
      const { group, machine, facts } = ofVm(index);
      const name = `${group.name}-${index}`;
      const folder = join(roundFolder, `vm-${index}`);
      await mkdir(folder, { mode: 0o700 });
      const line = commandLine(kind === "plain" ? plain(machine) : machine, {
        name,
        index,
        dir: folder,
        memoryMiB: group.memoryMiB,
        vcpus: group.vcpus,
        cpus: allowedCpus(),
      });
      const accelerator =
        machine.kind === "command"
          ? "command"
          : kind === "plain" && machine.found.accelerator === "snp"
            ? "kvm"
            : machine.found.accelerator;
      return { name, group: facts.group, accelerator, folder, ...line };
    },
  };
}

function plain(machine: Machine): Machine {
  return machine.kind === "qemu" ? { ...machine, found: plainTwin(machine.found) } : machine;
}

async function prepareGroup(
  session: Session,
  { name, memoryMiB, vcpus, machine: profile = DEFAULT_MACHINE }: ScenarioGuests,
): Promise<{ readonly machine: Machine; readonly facts: MachineFacts }> {
  const common = { group: name, profile: profile.kind, memoryMiB, vcpus };
  if (profile.kind === "command") {
    return { machine: { kind: "command", profile }, facts: { ...common, refused: [] } };
  }
  const { signal, progress } = session;
  progress.step("preparing the guest");
  const qemu: Qemu = await findQemu({ signal });
  const cache = openCache();
  const ours = await buildInitramfs(cache);
  const images = new Map<string, KernelImage>();
  const { refused, kernel, ...accelerator } = await chooseAccelerator({
    profile,
    qemu,
    async kernel(as) {
      const image = await findKernel(profile.kernel, { as, cache, signal });
      images.set(image.path, image);
      return image;
    },
    initramfs: ours,
    cache,
    signal,
    onStep: (what) => progress.step(what),
  });
  const bootsDisk = bootsFromDisk(profile);
  const initramfs = profile.initramfs ?? (profile.disk === undefined ? ours : undefined);
  const tsc = tscKhz(readFileSync("/proc/cpuinfo", "latin1"));
  const machine: Machine = {
    kind: "qemu",
    profile,
    found: {
      program: qemu.program,
      ...accelerator,
      ...(bootsDisk ? {} : { kernel }),
      ...(initramfs === undefined ? {} : { initramfs }),
      ...(tsc === undefined ? {} : { tscKhz: tsc }),
    },
  };
  return {
    machine,
    facts: {
      ...common,
      qemu: qemu.version,
      accelerator: accelerator.accelerator,
      ...(bootsDisk ? {} : { kernel: kernelWords(images.get(kernel)) }),
      refused,
    },
  };
}

/** The file that a person named or knows, not the one in our cache. */
function kernelWords(image: KernelImage | undefined): string {
  if (image === undefined) return "unknown";
  const { source, format, notPvhBecause } = image;
  const why = notPvhBecause === undefined ? "" : `: ${notPvhBecause}`;
  return `${source} (${format === "pvh" ? "entered directly, PVH" : `unpacks itself${why}`})`;
}

/** As in `0-3,8`. */
function allowedCpus(): string {
  const status = readFileSync("/proc/self/status", "latin1");
  return /^Cpus_allowed_list:\s*(\S+)$/m.exec(status)?.[1] ?? "0";
}
