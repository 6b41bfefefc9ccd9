// Real VMs booted together. Rooms it passes: core/scenario (what to boot), host/guest and host/qemu
// (images and VMs), host/tracefs (lock waits), core/analyze (what it means), core/report.
import { availableParallelism } from "node:os";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { type Command, InvalidArgumentError } from "commander";
import { bootsResult } from "../../../core/analyze/boots-result.ts";
import type { Missing } from "../../../core/analyze/investigate.ts";
import { BootstormError, EXIT } from "../../../core/error.ts";
import type { PolicySpec } from "../../../core/policy/policy.ts";
import { POLICIES } from "../../../core/policy/registry.ts";
import { bootsCaveats } from "../../../core/report/boots-caveats.ts";
import { bootsReport } from "../../../core/report/boots-report.ts";
import { htmlPage } from "../../../core/report/html-page.ts";
import { proseText } from "../../../core/report/prose.ts";
import { terminalReport } from "../../../core/report/terminal-report.ts";
import type { Arrivals } from "../../../core/scenario/scenario.ts";
import { readMemAvailable } from "../../../host/probe/round-load.ts";
import { type Swept, sweepLeftovers } from "../../../host/qemu/leftovers.ts";
import { createRunFolder, type RunFolder } from "../../../host/store/run-folder.ts";
import { fileName, numberList, oneOf, wholeNumber } from "../arguments.ts";
import { whyNoRecording } from "../load.ts";
import { powersUpTo } from "../load-flags.ts";
import { maker } from "../maker.ts";
import { newRunFolder } from "../new-run-folder.ts";
import { type Answer, runCommand, type Session, withCommonFlags } from "../run.ts";
import { setField } from "../simulate-flags.ts";
import { type ScenarioChange, scenarioWith } from "../simulate-scenario.ts";
import { requireCapacity } from "../storm/capacity.ts";
import { prepareMachine } from "../storm/machine.ts";
import { type BootKind, type Limit, limitOf, NO_LIMIT } from "../storm/plan.ts";
import { runStorm, type StormOptions } from "../storm/run.ts";
import { stormCommand, stormFacts } from "../storm/words.ts";
import { textSize } from "../terminal.ts";
import { VERSION } from "../version.ts";

interface Flags {
  readonly vms?: number[];
  readonly repetitions: number;
  readonly warmUps: number;
  readonly limit?: Limit;
  readonly compareLimits?: readonly Limit[];
  readonly comparePlain?: true;
  readonly arrivals?: Arrivals;
  readonly pressure: number;
  readonly afterReady: "end" | "stay";
  readonly set?: readonly ScenarioChange[];
  readonly record: boolean;
  readonly force?: true;
  readonly seed: number;
  readonly out?: string;
}

const DEFAULT_SCENARIO = "tiny";

export function define(command: Command): void {
  command
    .argument(
      "[scenario]",
      "what to boot: a YAML or JSON file, or the name of one of ours",
      DEFAULT_SCENARIO,
    )
    .description(
      "Boot real VMs together and see what grows: boot time against their number, in which phase, " +
        "and what the host was waiting for. SNP where it works, else KVM, else emulated.",
    )
    .option(
      "--vms <list>",
      "numbers of VMs started together (default: 1, 2, 4 … up to 4 × CPUs)",
      numberList(1, 16_384),
    )
    .option("--repetitions <n>", "rounds of each number and limit", wholeNumber(1, 1000), 3)
    .option("--warm-ups <n>", "rounds before, which do not count", wholeNumber(0, 100), 1)
    .option("--limit <rule>", "boots let in at once, or a policy (default: none)", limitFlag)
    .option(
      "--compare-limits <list>",
      "several rules in one run, such as 1,2,4,none (default: none)",
      limitList,
    )
    .option("--compare-plain", "boot the same VMs without confidentiality too, as control")
    .option(
      "--arrivals <how>",
      "together, ramp:MS, rate:PER-SECOND or poisson:PER-SECOND (default: the scenario's)",
      arrivalsFlag,
    )
    .option(
      "--pressure <n>",
      "direct-map pressure processes beside the boots",
      wholeNumber(0, 4096),
      0,
    )
    .option(
      "--after-ready <what>",
      "end or stay: what a VM does until all are ready",
      oneOf("end", "stay"),
      "end",
    )
    .option("--set <path=value>", "set a field of the scenario (default: none)", setField)
    .option("--no-record", "do not record lock waits")
    .option("--force", "start more VMs than this host can hold")
    .option(
      "--seed <n>",
      "order of the rounds, and chance of arrivals",
      wholeNumber(0, 2 ** 31 - 1),
      1,
    )
    .option(
      "--out <folder>",
      "where the run goes (default: a new folder in bootstorm-runs)",
      fileName,
    );
  withCommonFlags(command)
    .addHelpText(
      "after",
      `
Examples:
  sudo bootstorm storm                              tiny VMs, 1 to 4 × CPUs
  bootstorm storm --vms 16 --compare-limits 2,none  does it help to let in two at a time?
  bootstorm storm mine.yaml --set 'guests[0].machine.kernel=/boot/vmlinuz-new'`,
    )
    .action((scenario: string, flags: Flags) =>
      runCommand(command, async (session) => {
        const folder = await createRunFolder(flags.out ?? newRunFolder());
        try {
          return await storm(session, scenario, flags, folder);
        } catch (error) {
          folder.discard();
          throw error;
        }
      }),
    );
}

async function storm(
  session: Session,
  name: string,
  flags: Flags,
  folder: RunFolder,
): Promise<Answer> {
  tellLeftovers(session, await sweepLeftovers());
  const { scenario } = await scenarioWith(name, flags.set ?? []);
  const machine = await prepareMachine(session, scenario.guests);
  const cpus = availableParallelism();
  const notRecorded = flags.record ? whyNoRecording() : NOT_ASKED;
  const options: StormOptions = {
    vms: flags.vms ?? powersUpTo(4 * cpus),
    limits: flags.compareLimits ?? [flags.limit ?? scenarioLimit(scenario.policy)],
    kinds: kindsOf(machine.confidential, flags.comparePlain === true),
    repetitions: flags.repetitions,
    warmUps: flags.warmUps,
    witness: notRecorded === undefined,
    seed: flags.seed,
    arrivals: flags.arrivals ?? scenario.arrivals,
    pressure: flags.pressure,
    afterReady: flags.afterReady,
  };
  if (flags.force !== true) {
    requireCapacity(
      {
        vms: Math.max(...options.vms),
        vcpus: machine.vcpus,
        memoryBytes: machine.memoryMiB * 2 ** 20,
      },
      { cpus, memAvailableBytes: readMemAvailable() },
    );
  }
  const input = { scenario: name, ...options, machines: machine.facts, out: folder.path };
  await folder.write("storm.json", `${JSON.stringify({ bootstorm: VERSION, input }, null, 2)}\n`);
  const { rounds, traces } = await runStorm(session, machine, options, folder, notRecorded);
  session.progress.step("writing the report");
  const result = bootsResult(rounds, traces, { seed: flags.seed });
  const report = bootsReport(result, maker(), {
    obtained: stormFacts(machine.facts, options, notRecorded),
    reproduce: [stormCommand(name, options, flags.set ?? [])],
  });
  await folder.write("result.json", `${JSON.stringify(result, null, 2)}\n`);
  await folder.write("report.html", htmlPage(report));
  const page = pathToFileURL(resolve(folder.path, "report.html"));
  return {
    input,
    result,
    caveats: bootsCaveats(result).map(proseText),
    text: `${terminalReport(report, textSize())}\nReport: ${page}\n`,
  };
}

/** @throws BootstormError NO_CONFIDENTIAL_VMS when there is nothing to compare plain VMs with */
function kindsOf(confidential: boolean, comparePlain: boolean): readonly BootKind[] {
  if (!comparePlain) return [confidential ? "confidential" : "plain"];
  if (confidential) return ["confidential", "plain"];
  throw new BootstormError("NO_CONFIDENTIAL_VMS", "--compare-plain: all VMs are plain here", {
    why: "no group of guests runs with SNP on this host, so there is nothing to compare",
    remedies: ["bootstorm doctor says what SNP lacks here", "leave out --compare-plain"],
    exit: EXIT.host,
  });
}

function tellLeftovers({ progress }: Session, { pids, paths, kept }: Swept): void {
  if (pids.length > 0 || paths.length > 0) {
    progress.note(
      `a run before this one was killed; ended ${pids.length} VMs and removed ${paths.length} paths of it`,
    );
  }
  for (const what of kept) progress.note(what);
}

const NOT_ASKED: Missing = { what: "lock waits", why: "--no-record was given" };

/** The policy of a scenario that has one is the rule of its storm. */
function scenarioLimit(policy: readonly PolicySpec[]): Limit {
  return policy.length === 0 ? NO_LIMIT : { name: "scenario", policy };
}

/** A commander parser for `none`, `2` or `boot-cap-aimd`. */
function limitFlag(text: string): Limit {
  const limit = limitOf(text.trim());
  if (limit !== undefined) return limit;
  throw new InvalidArgumentError(
    `'${text}' is neither none, nor a number of boots, nor one of ${[...POLICIES.keys()].join(", ")}.`,
  );
}

function limitList(text: string): readonly Limit[] {
  return [...new Map(text.split(",").map((word) => [word.trim(), limitFlag(word)])).values()];
}

/** A commander parser for `together`, `ramp:2000` (ms), `rate:4` and `poisson:4` (a second). */
function arrivalsFlag(text: string): Arrivals {
  if (text === "together") return { kind: "together" };
  const [, kind, number] = /^(ramp|rate|poisson):(\d+(?:\.\d+)?)$/.exec(text) ?? [];
  const value = Number(number);
  if (kind === "ramp" && value <= 86_400_000) return { kind, overMs: value };
  if ((kind === "rate" || kind === "poisson") && value > 0 && value <= 1e6) {
    return { kind, perSecond: value };
  }
  throw new InvalidArgumentError(
    `'${text}' is none of together, ramp:MS, rate:PER-SECOND, poisson:PER-SECOND.`,
  );
}
