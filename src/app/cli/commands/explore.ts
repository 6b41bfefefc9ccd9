// Lock designs × policies. Rooms it passes: core/check (is it safe), core/sim (how fast), and
// core/analyze (what is on the front).
import type { Command } from "commander";
import { frontOf } from "../../../core/analyze/storm-front.ts";
import type { StormPoint } from "../../../core/analyze/storm-point.ts";
import { DESIGNS } from "../../../core/kernel/design/index.ts";
import { POLICIES } from "../../../core/policy/registry.ts";
import type { TimedVerdict } from "../../../core/report/check-report.ts";
import { type ExploreRow, exploreReport } from "../../../core/report/explore-report.ts";
import { htmlPage } from "../../../core/report/html-page.ts";
import { terminalReport } from "../../../core/report/terminal-report.ts";
import { writeFileAtomic } from "../../../host/store/atomic.ts";
import { fileName, numberList, oneOf, wholeNumber } from "../arguments.ts";
import { verdictJson } from "../check/json.ts";
import { usualVerdicts } from "../check/usual-verdicts.ts";
import { type Answer, runCommand, type Session, withCommonFlags } from "../run.ts";
import { changesOf, type ScenarioFlags, setField } from "../simulate/flags.ts";
import { simulatePoints } from "../simulate/run.ts";
import { type ScenarioChange, scenarioWith } from "../simulate/scenario.ts";
import { shellWord, simulationCaveats, simulationFacts } from "../simulate/words.ts";
import { textSize } from "../terminal.ts";
import { VERSION } from "../version.ts";

interface Flags extends ScenarioFlags {
  readonly replications: number;
  readonly design?: readonly string[];
  readonly policy?: readonly string[];
  readonly vms: readonly number[];
  readonly html?: string;
}

const OPERATIONS = ["set_direct_map", "ro"];
const POLICY_NAMES = ["none", "boot-cap", "lazy-accept"];
const COUNT = "guests[0].count";

export function define(command: Command): void {
  const designs = oneOf(...DESIGNS.map((design) => design.name));
  const policies = oneOf(...POLICIES.keys());
  const several =
    (one: (text: string) => string) =>
    (text: string, before: readonly string[] | undefined): string[] => [
      ...(before ?? []),
      one(text),
    ];
  command
    .argument("[scenario]", "a YAML or JSON file, or the name of one of ours", "talk-concurrent")
    .description(
      "Put lock designs and policies in one table: is it safe, and how long do boots take on a modelled host?",
    )
    .option("--design <name…>", "only this lock design (default: all)", several(designs))
    .option(
      "--policy <name…>",
      "only this policy, with its usual options (default: none, boot-cap, lazy-accept)",
      several(policies),
    )
    .option(
      "--vms <list>",
      "VMs of the first group of guests, such as 1,8,64",
      numberList(1, 16_384),
      [1, 8, 64, 256],
    )
    .option("--set <path=value>", "set another field of the scenario (default: none)", setField)
    .option("--seed <n>", "of all chance (default: the scenario's)", wholeNumber(0, 0xffff_ffff))
    .option(
      "--grain <grain>",
      "exact, sections or aggregated",
      oneOf("exact", "sections", "aggregated"),
      "aggregated",
    )
    .option("--replications <n>", "storms of each point", wholeNumber(1, 10_000), 1)
    .option("--html <file>", "write the report as one HTML page (default: none)", fileName);
  withCommonFlags(command)
    .addHelpText(
      "after",
      `
Examples:
  bootstorm explore                                  all designs, three policies
  bootstorm explore --design linux-4.20 --design per-pmd-lock --vms 1,64
  bootstorm explore mine.yaml --set host.flush=broadcast --html designs.html`,
    )
    .action((scenario: string, flags: Flags) =>
      runCommand(command, (session) => explore(session, scenario, flags)),
    );
}

async function explore(session: Session, name: string, flags: Flags): Promise<Answer> {
  const designs = flags.design ?? DESIGNS.map((design) => design.name);
  const policies = flags.policy ?? POLICY_NAMES;
  const read = await scenarioWith(name, [
    { kind: "set", path: "sweep", value: [], flag: "explore" },
    ...changesOf(flags),
    ...axes(designs, policies, flags.vms),
  ]);
  const verdicts = await usualVerdicts(session, designs, OPERATIONS);
  const points = await simulatePoints(session, read.points, read.costFiles);
  const rows = rowsOf(designs, policies, flags.vms, points, verdicts);
  const caveats = [
    ...simulationCaveats(read.scenario, points, read.costFiles),
    ...verdicts[0]!.verdict.assumptions,
  ];
  const reproduce = commandOf(name, flags);
  const report = exploreReport({
    rows,
    verdicts,
    replications: flags.replications,
    caveats,
    obtained: simulationFacts(read.scenario, points),
    reproduce: [reproduce],
    version: VERSION,
  });
  if (flags.html !== undefined) {
    await writeFileAtomic(flags.html, htmlPage(report), { shared: true });
  }
  return {
    input: { file: name, command: reproduce, designs, policies, scenario: read.scenario },
    result: { rows, verdicts: verdicts.map(verdictJson) },
    caveats,
    text: terminalReport(report, textSize()),
  };
}

function axes(
  designs: readonly string[],
  policies: readonly string[],
  vms: readonly number[],
): ScenarioChange[] {
  const axis = (path: string, value: unknown): ScenarioChange => ({
    kind: "sweep",
    path,
    value,
    flag: `explore of ${path}`,
  });
  return [
    axis("host.design", designs),
    axis(
      "policy",
      policies.map((name) => (name === "none" ? [] : [{ name }])),
    ),
    axis(COUNT, vms),
  ];
}

/** Points come in the order of the axes: designs, policies, numbers of VMs. */
function rowsOf(
  designs: readonly string[],
  policies: readonly string[],
  vms: readonly number[],
  points: readonly StormPoint[],
  verdicts: readonly TimedVerdict[],
): ExploreRow[] {
  const rows = designs.flatMap((design, d) =>
    policies.map((policy, p) => {
      const first = (d * policies.length + p) * vms.length;
      return {
        design,
        policy,
        verdicts: verdicts
          .map(({ verdict }) => verdict)
          .filter((verdict) => verdict.design === design)
          .map(({ operations, verdict }) => ({ operations, verdict })),
        bootMs: Object.fromEntries(vms.map((count, i) => [count, points[first + i]!.bootMs])),
      };
    }),
  );
  const front = frontOf(
    rows.map((row) => ({
      safe: row.verdicts.every(({ verdict }) => verdict === "safe"),
      mediansMs: vms.map((count) => row.bootMs[count]!.median),
    })),
  );
  return rows.map((row, i) => ({ ...row, front: front[i]! }));
}

/** The command line that asks the same again. */
function commandOf(name: string, flags: Flags): string {
  const { design = [], policy = [], vms, set = [], seed, grain, replications } = flags;
  const words = [
    ...design.map((each) => `--design ${each}`),
    ...policy.map((each) => `--policy ${each}`),
    `--vms ${vms.join(",")}`,
    ...set.map(({ flag }) => `--set ${shellWord(flag.slice("--set ".length))}`),
    ...(seed === undefined ? [] : [`--seed ${seed}`]),
    `--grain ${grain} --replications ${replications}`,
  ];
  return ["bootstorm explore", shellWord(name), ...words].join(" ");
}
