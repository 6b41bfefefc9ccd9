import type { Missing } from "../../../core/analyze/investigate.ts";
import type { Fact } from "../../../core/report/footer.ts";
import { counted, cpus } from "../../../core/report/words.ts";
import type { Scenario } from "../../../core/scenario/scenario.ts";
import { formatBytes } from "../../../core/units.ts";
import { describeHost } from "../../../host/probe/describe.ts";
import { maker } from "../maker.ts";
import { shellWord } from "../simulate/words.ts";
import type { StormFlags } from "./flags.ts";
import type { MachineFacts } from "./machine.ts";
import type { Limit } from "./plan.ts";
import type { StormCourse, StormOptions } from "./run.ts";
import type { RunNotes } from "./run-file.ts";

export const NOT_ASKED: Missing = { what: "lock waits", why: "--no-record was given" };

/** All that is known before the first VM starts. @param file  the scenario, as it was named */
export function runNotes(
  file: string,
  scenario: Scenario,
  flags: Pick<StormFlags, "set" | "record" | "yes" | "force">,
  { machine: { facts: machines }, options, folder, notRecorded }: StormCourse,
): RunNotes {
  const command = stormCommand(file, options, flags);
  return {
    seed: options.seed,
    input: { file, command, scenario, ...options, machines, out: folder.path },
    obtained: stormFacts(machines, options, notRecorded),
    reproduce: [command],
  };
}

function stormFacts(
  machines: readonly MachineFacts[],
  options: StormOptions,
  notRecorded: Missing | undefined,
): Fact[] {
  const label = (label: string, text: string): Fact => ({ label, text });
  const { version, at } = maker();
  const { kernel, cpuModel, cpuCount, memoryBytes } = describeHost();
  return [
    label("run", `${at}, bootstorm ${version}`),
    label("host", `${cpus(cpuCount)}, ${formatBytes(memoryBytes)}, ${cpuModel}, Linux ${kernel}`),
    ...machines.flatMap(machineFacts),
    label("arrivals", arrivalWords(options)),
    ...options.limits.flatMap(governFacts),
    ...(options.afterReady === "end" ? [] : [label("ready VMs", "go on until all are ready")]),
    label(
      "recording",
      notRecorded === undefined
        ? "every round without call stacks, for times; further rounds with them, for names"
        : `none: ${notRecorded.why}`,
    ),
  ];
}

function machineFacts(facts: MachineFacts): Fact[] {
  const { group, profile, qemu, accelerator, kernel, memoryMiB, vcpus, refused } = facts;
  const how = qemu === undefined ? "started by a command" : `QEMU ${qemu}, ${accelerator}`;
  const what = `${profile}, ${counted(vcpus, "vCPU")}, ${memoryMiB} MiB; ${how}`;
  return [
    { label: `VM ${group}`, text: kernel === undefined ? what : `${what}; kernel ${kernel}` },
    ...refused.map(({ accelerator, evidence }) => ({
      label: `not ${accelerator}`,
      text: evidence,
    })),
  ];
}

function governFacts({ governor, policy }: Limit): Fact[] {
  if (governor === undefined) return [];
  const { socket } = governor;
  const who = socket === undefined ? "a fresh daemon for each round" : `the daemon on ${socket}`;
  return [{ label: "govern", text: `${who}: ${policy.map(({ name }) => name).join(", ")}` }];
}

function arrivalWords({ arrivals }: StormOptions): string {
  switch (arrivals.kind) {
    case "together":
      return "all VMs asked for at once";
    case "ramp":
      return `evenly spaced over ${arrivals.overMs} ms`;
    case "rate":
      return `evenly spaced, ${arrivals.perSecond} a second`;
    case "poisson":
      return `at random, ${arrivals.perSecond} a second`;
  }
}

/** The command line that asks the same again, with defaults spelled out. */
function stormCommand(
  scenario: string,
  options: StormOptions,
  { set = [], record, yes, force }: Pick<StormFlags, "set" | "record" | "yes" | "force">,
): string {
  const { vms, limits, kinds, pressures, repetitions, warmUps, seed, arrivals, afterReady } =
    options;
  return [
    "bootstorm storm",
    shellWord(scenario),
    ...set.map(({ flag }) => `--set ${shellWord(flag.replace(/^--set /, ""))}`),
    `--vms ${vms.join(",")}`,
    `--repetitions ${repetitions} --warm-ups ${warmUps} --seed ${seed}`,
    ...limitWords(limits),
    ...(kinds.length > 1 ? ["--compare-plain"] : []),
    `--arrivals ${arrivalFlag(arrivals)}`,
    `--pressure ${pressures.join(",")}`,
    `--after-ready ${afterReady}`,
    ...(record ? [] : ["--no-record"]),
    ...(yes ? ["--yes"] : []),
    ...(force ? ["--force"] : []),
  ].join(" ");
}

function limitWords(limits: readonly Limit[]): string[] {
  const socket = limits.find(({ governor }) => governor?.socket !== undefined)?.governor?.socket;
  const govern = socket === undefined ? [] : [`--govern=${shellWord(socket)}`];
  const names = limits.map(({ name }) => name);
  if (names.length > 1) return [`--compare-limits ${names.join(",")}`, ...govern];
  // The scenario says it itself.
  if (names[0] === "scenario") return [];
  return govern.length > 0 ? govern : [`--limit ${names[0]}`];
}

function arrivalFlag(arrivals: StormOptions["arrivals"]): string {
  if (arrivals.kind === "together") return "together";
  return `${arrivals.kind}:${arrivals.kind === "ramp" ? arrivals.overMs : arrivals.perSecond}`;
}
