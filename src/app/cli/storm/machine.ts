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
import { cannotWrite } from "../../../host/store/atomic.ts";
import { openCache } from "../../../host/store/cache.ts";
import type { Session } from "../run.ts";
import type { Demand } from "./capacity.ts";
import { mixtureOf } from "./mixture.ts";
import { type BootKind, VMS_MAX } from "./plan.ts";

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
  /** The longest of all groups. */
  readonly readyTimeoutS: number;
  readonly confidential: boolean;
  /** What the first VMs of a round need, group by group. */
  demandOf(vms: number): readonly Demand[];
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
  const groups: Group[] = [];
  // One after the other: each may try a guest, and two at once would be in each other's way.
  for (const group of guests) groups.push({ group, ...(await prepareGroup(session, group)) });
  const counts = guests.map(({ count }) => count);
  const turns = mixtureOf(counts, VMS_MAX);
  const ofVm = (index: number) => groups[turns[index]!]!;
  return {
    facts: groups.map(({ facts }) => facts),
    readyTimeoutS: Math.max(
      ...guests.map(({ machine }) => (machine ?? DEFAULT_MACHINE).readyTimeoutS),
    ),
    confidential: groups.every(({ facts }) => facts.accelerator === "snp"),
    demandOf(vms) {
      const first = turns.slice(0, vms);
      return guests
        .map(({ vcpus, memoryMiB }, group) => ({
          vms: first.filter((each) => each === group).length,
          vcpus,
          memoryBytes: memoryMiB * 2 ** 20,
        }))
        .filter((demand) => demand.vms > 0);
    },
    askOf(index) {
      const { memoryMiB, tenant } = ofVm(index).group;
      return { pages: memoryMiB * 256, tenant };
    },
    async start(index, kind, roundFolder) {
      const { group, machine, facts } = ofVm(index);
      const name = `${group.name}-${index}`;
      const folder = join(roundFolder, `vm-${index}`);
      await mkdir(folder, { mode: 0o700 }).catch((error) => {
        throw cannotWrite(folder, error);
      });
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

interface Group {
  readonly group: ScenarioGuests;
  readonly machine: Machine;
  readonly facts: MachineFacts;
}

async function prepareGroup(
  session: Session,
  { name, memoryMiB, vcpus, machine: profile = DEFAULT_MACHINE }: ScenarioGuests,
): Promise<Omit<Group, "group">> {
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
