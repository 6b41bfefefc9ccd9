// The adaptive cap that knows nothing beforehand against every fixed one, in the scenarios cap-*.
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { expectGenerated } from "../../../test/conformance/generated.ts";
import { parseScenarioText } from "../../host/store/scenario-file.ts";
import { COST_KEYS, COST_TABLES } from "../kernel/cost/cost-table.ts";
import { DESIGN_BY_NAME } from "../kernel/design/index.ts";
import { createPolicy } from "../policy/registry.ts";
import { readScenario } from "../scenario/read.ts";
import type { Scenario } from "../scenario/scenario.ts";
import { resolve, simulate } from "./simulate.ts";

const NAMES = {
  designs: [...DESIGN_BY_NAME.keys()],
  costTables: [...COST_TABLES.keys()],
  costs: COST_KEYS,
};

interface Storm {
  readonly policy: string;
  /** Of a fixed cap. */
  readonly boots: unknown;
  readonly neighboursWeight: number;
  /** Since the request, mean over VMs and replications. */
  readonly meanNs: number;
  /** Until all are ready, mean over replications. */
  readonly makespanNs: number;
}

const known = new Map<string, readonly Storm[]>();

function scenarioPoints(name: string): readonly Scenario[] {
  const file = fileURLToPath(new URL(`../../../scenarios/${name}.yaml`, import.meta.url));
  const document = parseScenarioText(file, readFileSync(file, "utf8"));
  return readScenario(document, NAMES).points.map(({ scenario }) => scenario);
}

/** Every point of the scenario, with the seeds that `simulate` takes. */
function storms(name: string): readonly Storm[] {
  const all = known.get(name) ?? scenarioPoints(name).map(storm);
  known.set(name, all);
  return all;
}

function storm(scenario: Scenario): Storm {
  const { run, policy, background } = scenario;
  const count = run.replications.kind === "count" ? run.replications.count : 1;
  const results = Array.from({ length: count }, (_, r) =>
    simulate({ ...scenario, run: { ...run, seed: run.seed + r } }),
  );
  return {
    policy: policy[0]?.name ?? "none",
    boots: policy[0]?.options.boots,
    neighboursWeight: background.cpuBurnerWeight,
    meanNs: mean(results.flatMap(({ vms }) => vms.map(({ bootNs }) => bootNs))),
    makespanNs: mean(results.map(({ makespanNs }) => makespanNs)),
  };
}

const mean = (values: readonly number[]) => values.reduce((a, b) => a + b, 0) / values.length;

const of = (all: readonly Storm[], policy: string) => all.find((each) => each.policy === policy)!;

const bestOf = (all: readonly Storm[]) =>
  all
    .filter(({ policy }) => policy === "boot-cap" || policy === "none")
    .reduce((a, b) => (b.meanNs < a.meanNs ? b : a));

test.each(["cap-tiny", "cap-crowding", "cap-knee", "cap-free"])(
  "%s: mean within a tenth of the best fixed cap, the end at most a twentieth later than without",
  (name) => {
    const all = storms(name);
    const work = of(all, "boot-cap-work");
    expect(work.meanNs / bestOf(all).meanNs).toBeLessThan(1.1);
    expect(work.makespanNs / of(all, "none").makespanNs).toBeLessThan(1.05);
  },
);

test("cap-psp: the best mean too; no fixed cap near it ends within 5 % either", () => {
  const all = storms("cap-psp");
  const best = bestOf(all);
  const work = of(all, "boot-cap-work");
  const latest = 1.05 * of(all, "none").makespanNs;
  expect(work.meanNs / best.meanNs).toBeLessThan(1.1);
  expect(work.makespanNs / best.makespanNs).toBeLessThan(1.05);
  const near = all.filter(
    ({ policy, meanNs }) => policy === "boot-cap" && meanNs < 1.1 * best.meanNs,
  );
  for (const { makespanNs } of near) expect(makespanNs).toBeGreaterThan(latest);
});

test("cap-neighbours: a cap alone cannot have both; where boots have a greater weight it has", () => {
  const all = storms("cap-neighbours");
  const among = (weight: number) => all.filter((each) => each.neighboursWeight === weight);
  const none = of(among(1), "none");
  const bare = of(among(1), "boot-cap-work");
  expect(bare.meanNs / bestOf(among(1)).meanNs).toBeLessThan(1.1);
  // 16 equal boots in two rows instead of one: the neighbours have 2 turns more beside 16 + 2.
  expect(bare.makespanNs / none.makespanNs).toBeLessThan(1 + 2 / 18);
  const weighted = of(among(0.11), "boot-cap-work");
  expect(weighted.meanNs / bestOf(among(0.11)).meanNs).toBeLessThan(1.1);
  expect(weighted.makespanNs / none.makespanNs).toBeLessThan(1.05);
});

test("in each of them it is better than the gradient, or as good", () => {
  for (const name of ["cap-tiny", "cap-crowding", "cap-knee", "cap-psp", "cap-free"]) {
    const all = storms(name);
    const work = of(all, "boot-cap-work");
    const gradient = of(all, "boot-cap-gradient");
    expect(work.meanNs / gradient.meanNs, name).toBeLessThan(1.02);
    expect(work.makespanNs / gradient.makespanNs, name).toBeLessThan(1.02);
  }
});

test("what it has learned it keeps: the second storm is as fast as one without a limit", () => {
  const [free] = scenarioPoints("cap-free");
  const scenario = { ...free!, guests: free!.guests.map((group) => ({ ...group, count: 64 })) };
  const none = simulate(scenario);
  const make = () => createPolicy([{ name: "boot-cap-work", options: {} }]);
  const first = make();
  const learning = simulate(scenario, { ...resolve(scenario), policy: first });
  const second = make();
  second.restore(JSON.parse(JSON.stringify(first.snapshot())));
  const learned = simulate(scenario, { ...resolve(scenario), policy: second });
  expect(learning.makespanNs / none.makespanNs).toBeLessThan(2.6);
  expect(learned.makespanNs).toBe(none.makespanNs);
});

test("docs/simulate.md has these numbers", () => {
  const head = [
    "| scenario | none | best fixed cap | boot-cap-gradient | boot-cap-work | mean, of best | end, of none |",
    "|---|---|---|---|---|---|---|",
  ];
  const rows = [
    row("cap-tiny"),
    row("cap-crowding"),
    row("cap-neighbours", 1),
    row("cap-neighbours", 0.11),
    row("cap-knee"),
    row("cap-psp"),
    row("cap-free"),
  ];
  expectGenerated("docs/simulate.md", `${[...head, ...rows].join("\n")}\n`);
});

/** Without a limit nobody gives boots a greater weight: `none` is that of equal weights. */
function row(name: string, weight = 1): string {
  const all = storms(name).filter((each) => each.neighboursWeight === weight);
  const none = of(storms(name), "none");
  const best = bestOf(all);
  const work = of(all, "boot-cap-work");
  const percent = (a: number, b: number) => `${Math.round((a / b) * 100)} %`;
  return `| ${[
    weight === 1 ? `\`${name}\`` : `\`${name}\`, boots of weight ${Math.round(1 / weight)}`,
    seconds(none),
    `${best.boots}: ${seconds(best)}`,
    seconds(of(all, "boot-cap-gradient")),
    seconds(work),
    percent(work.meanNs, best.meanNs),
    percent(work.makespanNs, none.makespanNs),
  ].join(" | ")} |`;
}

function seconds({ meanNs, makespanNs }: Storm): string {
  return `${(meanNs / 1e9).toFixed(1)} / ${(makespanNs / 1e9).toFixed(1)}`;
}
