import { availableParallelism } from "node:os";
import type { KernelRun } from "../../../core/event/kernel-run.ts";
import type { Fact } from "../../../core/report/footer.ts";
import { counted, cpus } from "../../../core/report/words.ts";
import { formatBytes } from "../../../core/units.ts";
import { describeHost } from "../../../host/probe/describe.ts";
import type { RunFolder } from "../../../host/store/run-folder.ts";
import { maker } from "../maker.ts";
import type { Notes } from "../run-notes.ts";
import { shellWord } from "../simulate/words.ts";
import type { Arm, ArmWords } from "./arms.ts";
import { type KernelAbFlags, vcpusOf } from "./flags.ts";
import type { MeasuringMachine } from "./machine.ts";

/** All that is known before the first boot. */
export function kernelRun(
  arms: readonly Arm[],
  { qemu, accelerator, cpu }: MeasuringMachine,
  flags: KernelAbFlags,
): KernelRun {
  const { kernel, cpuModel } = describeHost();
  return {
    arms: arms.map(({ arm }) => arm),
    vcpus: vcpusOf(flags),
    seed: flags.seed,
    accelerator,
    cpuModel: cpu,
    qemu: qemu.version,
    hostCpus: availableParallelism(),
    hostCpuModel: cpuModel,
    hostKernel: kernel,
    at: maker().at,
  };
}

/** The same for people. @param named  the arms, as they were asked for */
export function runNotes(
  run: KernelRun,
  { refused }: MeasuringMachine,
  named: readonly ArmWords[],
  flags: KernelAbFlags,
  folder: RunFolder,
): Notes {
  const command = kernelAbCommand(named, flags);
  const { seed, loads, threads, repetitions, precision, minutes, spinlock } = flags;
  return {
    input: {
      ...{ command, arms: run.arms, vcpus: run.vcpus, loads },
      ...(threads === undefined ? {} : { threads }),
      ...(repetitions === undefined ? { precision, minutes } : { repetitions }),
      ...{ spinlock, accelerator: run.accelerator, seed, out: folder.path },
    },
    obtained: [...hostFacts(run), ...refused.map(refusedFact), ...run.arms.flatMap(armFacts)],
    reproduce: [command],
  };
}

function hostFacts(run: KernelRun): Fact[] {
  const { memoryBytes } = describeHost();
  const { version } = maker();
  return [
    { label: "run", text: `${run.at}, bootstorm ${version}` },
    {
      label: "host",
      text: `${cpus(run.hostCpus)}, ${formatBytes(memoryBytes)}, ${run.hostCpuModel}, Linux ${run.hostKernel}`,
    },
    {
      label: "guests",
      text: `QEMU ${run.qemu}, ${run.accelerator === "kvm" ? "KVM" : "emulated (TCG)"}, -cpu ${run.cpuModel}, ${run.vcpus.join(", ")} vCPUs`,
    },
    {
      label: "order",
      text: "all kernels in turn, in every other repetition back; one boot of each first, not counted",
    },
  ];
}

function refusedFact({ accelerator, evidence }: MeasuringMachine["refused"][number]): Fact {
  return { label: `not ${accelerator}`, text: evidence };
}

function armFacts({ name, images, lacks }: KernelRun["arms"][number]): Fact[] {
  const image = images.time;
  return [
    ...(image === undefined
      ? []
      : [{ label: name, text: `${image.path}, SHA-256 ${image.sha256.slice(0, 16)}…` }]),
    ...Object.entries(lacks).map(([purpose, why]) => ({
      ...{ label: `${name}, no ${purpose}`, text: why },
    })),
  ];
}

/** The command line that asks the same again, with defaults spelled out. */
function kernelAbCommand(named: readonly ArmWords[], flags: KernelAbFlags): string {
  const { threads, loads, repetitions, precision, minutes, design } = flags;
  return [
    "bootstorm kernel-ab",
    ...named.map(({ text }) => shellWord(text)),
    `--vcpus ${vcpusOf(flags).join(",")}`,
    ...(threads === undefined ? [] : [`--threads ${threads.join(",")}`]),
    `--loads ${loads.join(",")}`,
    repetitions === undefined
      ? `--precision ${precision} --minutes ${minutes}`
      : `--repetitions ${repetitions}`,
    ...(flags.count ? [] : ["--no-count"]),
    ...(flags.debug ? [] : ["--no-debug"]),
    `--spinlock ${flags.spinlock} --accelerator ${flags.accelerator}`,
    ...(design === undefined ? [] : [`--design ${shellWord(design.join(","))}`]),
    `--seed ${flags.seed}`,
  ].join(" ");
}

/** What is left of a run that ended early. */
export function keptWords(boots: number, { path }: RunFolder): string {
  return `${counted(boots, "boot")} kept; to read: bootstorm kernel-ab --from ${shellWord(path)}`;
}
