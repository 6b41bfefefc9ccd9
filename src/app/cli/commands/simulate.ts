// A boot storm on a modelled host. Rooms it passes: core/scenario (what to simulate), core/sim (the
// kernel model executed by time), core/analyze (points), core/report (what is read).
import type { Command } from "commander";
import { htmlPage } from "../../../core/report/html-page.ts";
import { stormReport } from "../../../core/report/storm-report.ts";
import { terminalReport } from "../../../core/report/terminal-report.ts";
import type { Scenario } from "../../../core/scenario/scenario.ts";
import { requireWritable, writeFileAtomic } from "../../../host/store/atomic.ts";
import { fileName, numberWithin, oneOf, wholeNumber } from "../arguments.ts";
import { type Answer, runCommand, type Session, withCommonFlags } from "../run.ts";
import { type CostFiles, costsOfFile } from "../simulate/costs.ts";
import { changesOf, type ScenarioFlags, setField, sweepField } from "../simulate/flags.ts";
import { pointJson } from "../simulate/json.ts";
import { simulatePoints } from "../simulate/run.ts";
import { scenarioWith } from "../simulate/scenario.ts";
import {
  type SimulatedTrace,
  traceCaveats,
  traceFact,
  traceInThread,
  traceJson,
} from "../simulate/trace.ts";
import { shellWord, simulationCaveats, simulationFacts } from "../simulate/words.ts";
import { textSize } from "../terminal.ts";
import { VERSION } from "../version.ts";

interface Flags extends ScenarioFlags {
  readonly trace?: string;
  readonly html?: string;
}

export function define(command: Command): void {
  command
    .argument("<scenario>", "a YAML or JSON file, or the name of one of ours")
    .description(
      "Simulate a boot storm on a modelled host: boot times, which lock is to blame, and what another kernel, guest or policy changes.",
    )
    .option(
      "--set <path=value>",
      "set a field of the scenario; it is no longer swept (default: none)",
      setField,
    )
    .option(
      "--sweep <path=list>",
      "run every value of a list such as 1,8,64, with every other one (default: none)",
      sweepField,
    )
    .option("--seed <n>", "of all chance (default: the scenario's)", wholeNumber(0, 0xffff_ffff))
    .option(
      "--grain <grain>",
      "exact, sections or aggregated (default: the scenario's)",
      oneOf("exact", "sections", "aggregated"),
    )
    .option(
      "--replications <n>",
      "storms of each point, with a seed each (default: the scenario's)",
      wholeNumber(1, 10_000),
    )
    .option(
      "--ci <percent>",
      "instead: until the 95 % interval of the mean boot time is so narrow (default: none)",
      numberWithin(0.01, 50),
    )
    .option(
      "--trace <file>",
      "write the lock waits of the last point's first storm, for contention (default: none)",
      fileName,
    )
    .option("--html <file>", "write the report as one HTML page (default: none)", fileName);
  withCommonFlags(command)
    .addHelpText(
      "after",
      `
Examples:
  bootstorm simulate talk-concurrent                 boot time against VMs, host of 2022
  bootstorm simulate talk-concurrent --set host.design=no-cpa-lock
  bootstorm simulate mine.yaml --sweep 'guests[0].count=1,8,64' --ci 2 --html storm.html`,
    )
    .action((scenario: string, flags: Flags) =>
      runCommand(command, (session) => simulate(session, scenario, flags)),
    );
}

async function simulate(session: Session, name: string, flags: Flags): Promise<Answer> {
  for (const path of [flags.trace, flags.html]) if (path !== undefined) await requireWritable(path);
  const { scenario, points: asked, costFiles } = await scenarioWith(name, changesOf(flags));
  const points = await simulatePoints(session, asked, costFiles);
  const traced = await traceOf(session, flags.trace, asked.at(-1)!.scenario, costFiles);
  const reproduce = commandOf(name, flags);
  const last = points.at(-1)!;
  const caveats = [
    ...simulationCaveats(scenario, points, costFiles),
    ...(traced === undefined ? [] : traceCaveats(traced, last)),
  ];
  const report = stormReport({
    name: scenario.name,
    title: scenario.title,
    points,
    view: scenario.chart,
    caveats,
    obtained: [
      ...simulationFacts(scenario, points),
      ...(traced === undefined ? [] : [traceFact(traced, last)]),
    ],
    reproduce: [reproduce],
    version: VERSION,
  });
  if (flags.html !== undefined) {
    await writeFileAtomic(flags.html, htmlPage(report), { shared: true });
  }
  const { seed, grain } = scenario.run;
  const errorBound = Math.max(...points.map((point) => point.errorBound));
  return {
    input: { file: name, command: reproduce, scenario },
    result: {
      points: points.map(pointJson),
      seed,
      grain,
      ...(errorBound > 0 ? { errorBound } : {}),
      ...(traced === undefined ? {} : { trace: traceJson(traced) }),
    },
    caveats,
    text: terminalReport(report, textSize()),
  };
}

/** Records one storm of a point, that of its first replication; nothing when no file is asked for. */
async function traceOf(
  session: Session,
  file: string | undefined,
  scenario: Scenario,
  costFiles: CostFiles,
): Promise<SimulatedTrace | undefined> {
  if (file === undefined) return undefined;
  const costs = costsOfFile(scenario, costFiles);
  const { bytes, summary } = await traceInThread(session, { scenario, costs });
  await writeFileAtomic(file, bytes, { shared: true });
  return { file, ...summary };
}

/** The command line that asks the same again. */
function commandOf(name: string, flags: Flags): string {
  const { set = [], sweep = [], seed, grain, replications, ci } = flags;
  const words = [...set, ...sweep].map(({ flag }) => {
    const [word, ...rest] = flag.split(" ");
    return `${word} ${shellWord(rest.join(" "))}`;
  });
  const own = Object.entries({ seed, grain, replications, ci }).flatMap(([flag, value]) =>
    value === undefined ? [] : [`--${flag} ${value}`],
  );
  return ["bootstorm simulate", shellWord(name), ...words, ...own].join(" ");
}
