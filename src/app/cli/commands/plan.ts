// What a host can serve, and the limits that keep it there. Rooms it passes: core/sim (how fast),
// core/plan (knee, rates, limits), core/check (is another design safe), and with --confirm host/qemu.
import { type Command, Option } from "commander";
import type { Plan } from "../../../core/plan/plan.ts";
import { htmlPage } from "../../../core/report/html-page.ts";
import { governConfigText } from "../../../core/report/plan-config.ts";
import { planReport } from "../../../core/report/plan-report.ts";
import { terminalReport } from "../../../core/report/terminal-report.ts";
import type { Scenario } from "../../../core/scenario/scenario.ts";
import { requireWritable, writeFileAtomic } from "../../../host/store/atomic.ts";
import { fileName, numberWithin, wholeNumber } from "../arguments.ts";
import { createOutFolder } from "../out-folder.ts";
import { type ConfirmQuestion, confirm, requireConfirmable, thisHost } from "../plan/confirm.ts";
import { planOf } from "../plan/run.ts";
import { planCaveats, planFacts } from "../plan/words.ts";
import { type Answer, runCommand, type Session, withCommonFlags } from "../run.ts";
import { COST_TABLE_FIELD } from "../simulate/costs.ts";
import { changesOf, type ScenarioFlags, setField } from "../simulate/flags.ts";
import { type FullScenario, scenarioWith } from "../simulate/scenario.ts";
import { shellWord } from "../simulate/words.ts";
import { textSize } from "../terminal.ts";
import { VERSION } from "../version.ts";

interface Flags extends Pick<ScenarioFlags, "set" | "seed"> {
  readonly p99?: number;
  readonly costs?: string;
  readonly vms?: number;
  readonly replications: number;
  readonly write?: string;
  readonly html?: string;
  /** Rounds, where it is asked for. */
  readonly confirm?: number;
}

export function define(command: Command): void {
  command
    .argument("[scenario]", "a YAML or JSON file, or the name of one of ours", "talk-concurrent")
    .description(
      "Plan for a host: how many boots it can serve at once, how fast VMs may be started, what to configure, and what else would change that.",
    )
    .option(
      "--p99 <seconds>",
      "from request to ready, 99 of 100 boots (default: twice a boot alone)",
      numberWithin(0.001, 86_400),
    )
    .option(
      "--costs <file>",
      "cost table, or a file of calibrate (default: the scenario's)",
      fileName,
    )
    .option(
      "--vms <n>",
      "VMs of the storm (default: the most of the scenario)",
      wholeNumber(1, 16_384),
    )
    .option("--set <path=value>", "set another field of the scenario (default: none)", setField)
    .option("--seed <n>", "of all chance (default: the scenario's)", wholeNumber(0, 0xffff_ffff))
    .option("--replications <n>", "storms of each point", wholeNumber(2, 1000), 3)
    .option("--write <file>", "write a configuration for govern (default: none)", fileName)
    .option("--html <file>", "write the report as one HTML page (default: none)", fileName)
    .addOption(
      new Option(
        "--confirm [rounds]",
        "boot real VMs with and without the cap, so many rounds of each, beside what is predicted (default: no; 5 rounds)",
      )
        .argParser(wholeNumber(1, 1000))
        .preset("5"),
    );
  withCommonFlags(command)
    .addHelpText(
      "after",
      `
Examples:
  bootstorm plan                                  the talk's host of 2022
  bootstorm plan mine.yaml --p99 30 --costs bootstorm-costs.json --write govern.yaml
  bootstorm plan tiny --confirm                   this host, predicted and measured`,
    )
    .action((scenario: string, flags: Flags) =>
      runCommand(command, (session) => plan(session, scenario, flags)),
    );
}

async function plan(session: Session, name: string, flags: Flags): Promise<Answer> {
  for (const path of [flags.write, flags.html]) if (path !== undefined) await requireWritable(path);
  const read = await scenarioWith(name, [
    ...(flags.costs === undefined
      ? []
      : [
          {
            kind: "set" as const,
            path: COST_TABLE_FIELD,
            value: flags.costs,
            flag: `--costs ${flags.costs}`,
          },
        ]),
    ...changesOf({
      ...(flags.set && { set: flags.set }),
      ...(flags.seed !== undefined && { seed: flags.seed }),
    }),
  ]);
  const { costFiles } = read;
  if (flags.confirm !== undefined) requireConfirmable(name, read.scenario);
  const own: Scenario = { ...read.scenario, sweep: [] };
  const scenario = flags.confirm === undefined ? own : thisHost(own);
  const vms = flags.vms ?? mostVms(read);
  const { replications } = flags;
  const p99Ms = flags.p99 === undefined ? undefined : flags.p99 * 1000;
  const planned = await planOf(session, { scenario, vms, p99Ms, replications, costFiles });
  const result =
    flags.confirm === undefined
      ? planned
      : await confirmed(session, planned, { file: name, scenario, rounds: flags.confirm });
  const basis = { scenario, plan: result, replications, costFiles };
  const caveats = planCaveats(basis);
  const reproduce = commandOf(name, flags);
  const report = planReport({
    name: scenario.name,
    title: scenario.title,
    plan: result,
    caveats,
    obtained: planFacts(basis),
    reproduce: [reproduce],
    version: VERSION,
  });
  session.signal.throwIfAborted();
  if (flags.write !== undefined) {
    const about = { scenario: scenario.name, command: reproduce, version: VERSION };
    await writeFileAtomic(flags.write, governConfigText(result, about), { shared: true });
  }
  if (flags.html !== undefined) {
    await writeFileAtomic(flags.html, htmlPage(report), { shared: true });
  }
  const written = flags.write === undefined ? "" : `\nConfiguration: ${flags.write}\n`;
  return {
    input: { file: name, command: reproduce, vms, replications, scenario },
    result,
    caveats,
    text: `${terminalReport(report, textSize())}${written}`,
  };
}

async function confirmed(
  session: Session,
  planned: Plan,
  question: Omit<ConfirmQuestion, "cap">,
): Promise<Plan> {
  const folder = await createOutFolder(undefined);
  try {
    const cap = planned.knee.value;
    return { ...planned, confirmation: await confirm(session, { ...question, cap }, folder) };
  } catch (error) {
    session.progress.note(`what was measured is in ${folder.path}`);
    throw error;
  }
}

/** Of all points of the scenario's sweep. */
function mostVms({ points }: FullScenario): number {
  const counts = points.map(({ scenario }) =>
    scenario.guests.reduce((sum, { count }) => sum + count, 0),
  );
  return Math.max(...counts);
}

/** The command line that asks the same again. */
function commandOf(name: string, flags: Flags): string {
  const { set = [], seed, p99, costs, vms, replications, confirm: confirms } = flags;
  const words = [
    ...(p99 === undefined ? [] : [`--p99 ${p99}`]),
    ...(costs === undefined ? [] : [`--costs ${shellWord(costs)}`]),
    ...(vms === undefined ? [] : [`--vms ${vms}`]),
    ...set.map(({ flag }) => `--set ${shellWord(flag.slice("--set ".length))}`),
    ...(seed === undefined ? [] : [`--seed ${seed}`]),
    `--replications ${replications}`,
    ...(confirms === undefined ? [] : [`--confirm ${confirms}`]),
  ];
  return ["bootstorm plan", shellWord(name), ...words].join(" ");
}
