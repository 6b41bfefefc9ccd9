// What a simulation rests on, in words: for every answer that comes from one.
import type { StormPoint } from "../../../core/analyze/storm-point.ts";
import type { CostFile } from "../../../core/kernel/cost/cost-file.ts";
import { COST_TABLES } from "../../../core/kernel/cost/cost-table.ts";
import type { Fact } from "../../../core/report/footer.ts";
import type { Scenario, ScenarioGuests } from "../../../core/scenario/scenario.ts";
import { formatShare } from "../../../core/units.ts";
import type { CostFiles } from "./costs.ts";

/** Where the model is simpler than a host, and what that bends (core/sim/storm.ts). */
const SIMPLIFIED = [
  "one run queue for the host: load is always balanced",
  "threads of one core do not slow each other down",
  "the interrupt of a TLB flush delays what its receiver does next, seldom a hold that it interrupts: holds are a little short where CPUs are many and splits frequent",
  "no RMPUPDATE fails because another one overlaps it (RMP_FAIL_OVERLAP): right for pages of 4 KiB alone",
  "mutexes are handed over in order, without optimistic spinning",
];

export function simulationCaveats(
  scenario: Scenario,
  points: readonly Pick<StormPoint, "replications" | "errorBound">[],
  costFiles: CostFiles = new Map(),
): string[] {
  const fewest = Math.min(...points.map((point) => point.replications));
  const errorBound = Math.max(...points.map((point) => point.errorBound));
  return [
    "This is a model: nothing was measured, on this machine or on SNP hardware.",
    costCaveat(scenario, costFiles),
    ...[...costFiles].map(([name, file]) => costFileCaveat(name, file)),
    ...SIMPLIFIED.map((what) => `simplified: ${what}`),
    ...(scenario.guests.every(launchedAlready)
      ? ["the guests are launched already: what the PSP takes of each launch is in no boot time"]
      : []),
    ...(errorBound === 0
      ? []
      : [
          `storms of many page operations are aggregated: boot times within ${formatShare(errorBound)} of the exact ones`,
        ]),
    ...(fewest >= 6
      ? []
      : ["fewer than 6 replications: low and high are the smallest and the largest median"]),
  ];
}

function launchedAlready({ phases }: ScenarioGuests): boolean {
  return phases.every(({ kind }) => kind !== "launch");
}

/** How sure the costs are, and where they come from. */
function costCaveat({ host }: Scenario, files: CostFiles): string {
  const { ns } = host.costs;
  const file = files.get(host.costs.table);
  const table = file?.base ?? host.costs.table;
  const replaced = { ...file?.costs, ...ns };
  const costs = Object.entries(COST_TABLES.get(table)!).filter(([key]) => !(key in replaced));
  const low = costs.filter(([, cost]) => cost.confidence === "low").map(([key]) => key);
  const given = Object.keys(ns);
  const own = given.length === 0 ? "" : `; the scenario gives ${given.join(", ")}`;
  return `costs: table ${table}, each with range and source in core/kernel/cost/cost-table.ts; ${low.length} of ${costs.length} are assumed or shares of a published sum${own}. Sweep host.costs.ns.NAME to see what depends on one: ${low.join(", ")}`;
}

function costFileCaveat(name: string, { costs, measuredOn }: CostFile): string {
  const { host, kernel, cpus, takenAt } = measuredOn;
  return `costs of ${name}, measured on ${host}, ${cpus} CPUs, ${kernel}, ${takenAt}: ${Object.keys(costs).join(", ")}`;
}

export function simulationFacts(scenario: Scenario, points: readonly StormPoint[]): Fact[] {
  const { host, guests, arrivals, run } = scenario;
  const replications = points.map((point) => point.replications);
  const [least, most] = [Math.min(...replications), Math.max(...replications)];
  const each = guests.map(
    ({ name, count, memoryMiB, pageSize, acceptance }) =>
      `${count} × ${name}, ${memoryMiB} MiB in pages of ${pageSize}, ${acceptance} acceptance`,
  );
  return [
    {
      label: "host",
      text: `${host.cpus} CPUs in ${host.sockets} sockets, ${host.memoryGiB} GiB, kernel of ${host.kernel}, flush by ${host.flush}`,
    },
    { label: "locks", text: host.design },
    {
      label: "direct map",
      text: `${host.directMap.state}, guest memory ${host.placement}`,
    },
    { label: "guests", text: each.join("; ") },
    { label: "arrivals", text: arrivals.kind },
    {
      label: "policy",
      text: scenario.policy.map(({ name }) => name).join(", ") || "none",
    },
    {
      label: "run",
      text: `${points.length} points × ${least === most ? least : `${least} to ${most}`} replications, grain ${run.grain}, seed ${run.seed} and following`,
    },
    { label: "swept fields", text: "replace what stands above" },
  ];
}

/** A word as a shell takes it. */
export function shellWord(text: string): string {
  return /^[\w./=:,+-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}
