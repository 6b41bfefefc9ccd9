import type { Missing } from "../../../core/analyze/investigate.ts";
import type { Fact } from "../../../core/report/footer.ts";
import { shellWord } from "../simulate-words.ts";
import type { MachineFacts } from "./machine.ts";
import type { StormOptions } from "./run.ts";

/** How the numbers came about. */
export function stormFacts(
  machines: readonly MachineFacts[],
  options: StormOptions,
  notRecorded: Missing | undefined,
): Fact[] {
  const label = (label: string, text: string): Fact => ({ label, text });
  return [
    ...machines.flatMap(machineFacts),
    label("arrivals", arrivalWords(options)),
    ...(options.pressure === 0
      ? []
      : [label("beside the boots", `${options.pressure} direct-map pressure processes`)]),
    label(
      "lock waits",
      notRecorded === undefined
        ? "recorded in every round without call stacks; names from further rounds with them"
        : `not recorded: ${notRecorded.why}`,
    ),
  ];
}

function machineFacts(facts: MachineFacts): Fact[] {
  const { group, profile, qemu, accelerator, kernel, memoryMiB, vcpus, refused } = facts;
  const how = qemu === undefined ? "started by a command" : `QEMU ${qemu}, ${accelerator}`;
  const what = `${profile}, ${vcpus} vCPU${vcpus === 1 ? "" : "s"}, ${memoryMiB} MiB; ${how}`;
  return [
    { label: `VM ${group}`, text: kernel === undefined ? what : `${what}; kernel ${kernel}` },
    ...refused.map(({ accelerator, evidence }) => ({
      label: `not ${accelerator}`,
      text: evidence,
    })),
  ];
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
export function stormCommand(
  scenario: string,
  options: StormOptions,
  sets: readonly { readonly flag: string }[],
): string {
  const { vms, limits, kinds, repetitions, warmUps, seed, arrivals, pressure, afterReady } =
    options;
  const names = limits.map(({ name }) => name);
  return [
    "bootstorm storm",
    shellWord(scenario),
    ...sets.map(({ flag }) => `--set ${shellWord(flag.replace(/^--set /, ""))}`),
    `--vms ${vms.join(",")}`,
    `--repetitions ${repetitions} --warm-ups ${warmUps} --seed ${seed}`,
    ...(names.length > 1
      ? [`--compare-limits ${names.join(",")}`]
      : names[0] === "none" || names[0] === "scenario"
        ? []
        : [`--limit ${names[0]}`]),
    ...(kinds.length > 1 ? ["--compare-plain"] : []),
    ...(arrivals.kind === "together" ? [] : [`--arrivals ${arrivalFlag(arrivals)}`]),
    ...(pressure === 0 ? [] : [`--pressure ${pressure}`]),
    ...(afterReady === "end" ? [] : [`--after-ready ${afterReady}`]),
    ...(options.witness ? [] : ["--no-record"]),
  ].join(" ");
}

function arrivalFlag(arrivals: Exclude<StormOptions["arrivals"], { kind: "together" }>): string {
  return `${arrivals.kind}:${arrivals.kind === "ramp" ? arrivals.overMs : arrivals.perSecond}`;
}
