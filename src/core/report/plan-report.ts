// The report of a plan: what to configure, the two pictures behind it, what else there is to choose.
import type { Confirmation, Confirmed } from "../plan/confirm.ts";
import type { Plan, StormTimes } from "../plan/plan.ts";
import type { Planned } from "../plan/planned.ts";
import { formatCount, threeDigits } from "../units.ts";
import type { Curve } from "./curve.ts";
import { curveChart } from "./curve-chart.ts";
import type { Fact } from "./footer.ts";
import { nsColumn } from "./number-column.ts";
import { rateCurve, serviceCurve } from "./plan-chart.ts";
import {
  bootsText,
  policyProse,
  rateText,
  rateUnit,
  resourceProse,
  timeText,
  vmsText,
} from "./plan-words.ts";
import { code, type Prose, prose } from "./prose.ts";
import type { Report, Section } from "./report.ts";
import {
  caveatSection,
  figure,
  listSection,
  obtainedSection,
  reproduceSection,
  tableSection,
} from "./sections.ts";
import { lockProse, msText } from "./storm-words.ts";
import type { Column, Table } from "./table.ts";
import { terminalPlot } from "./terminal-plot.ts";
import { counted } from "./words.ts";

export interface PlanReport {
  /** The scenario's. */
  readonly name: string;
  readonly title: string;
  readonly plan: Plan;
  readonly caveats: readonly string[];
  readonly obtained: readonly Fact[];
  readonly reproduce: readonly string[];
  readonly version: string;
}

export function planReport(report: PlanReport): Report {
  const { name, title, plan, version } = report;
  const { confirmation } = plan;
  return {
    title: `bootstorm plan: ${name}`,
    subject: `${name}: ${title}`,
    answer: answer(plan),
    findings: [...findings(plan), ...(confirmation ? [confirmed(confirmation)] : [])],
    sections: [
      curveSection("throughput", serviceCurve(plan)),
      curveSection("rates", rateCurve(plan)),
      listSection("limits", "What to configure", limits(plan)),
      tableSection("storm", "The storm", stormTable(plan)),
      ...(confirmation === undefined
        ? []
        : [tableSection("confirmation", "Real boots beside it", confirmTable(confirmation))]),
      tableSection("choices", "What else would change it", choiceTable(plan)),
      caveatSection(report.caveats.map((text) => prose`${text}`)),
      obtainedSection(report.obtained),
      reproduceSection(report.reproduce),
    ],
    colophon: `Made by bootstorm ${version}.`,
  };
}

function answer(plan: Plan): Prose {
  const { knee, perSecond, rates, target } = plan;
  const unit = rateUnit(perSecond.value);
  const [poisson] = rates;
  const start =
    poisson!.perSecond.value === 0
      ? prose`no rate of requests keeps the p99 at ${msText(target.p99Ms)}`
      : prose`requests may come at random at ${rateText(poisson!.perSecond, unit)} for a p99 of ${msText(target.p99Ms)}`;
  return prose`Keep at most ${bootsText(knee)} in service: beyond that more of them only wait for ${resourceProse(plan)}. The host then ends ${rateText(perSecond, unit)}; ${start}.`;
}

function findings(plan: Plan): Prose[] {
  const { aloneMs, boundBoots, target, resources, rates, storm, perSecond } = plan;
  const unit = rateUnit(perSecond.value);
  const [first, second] = resources;
  const even = rates.find(({ arrivals }) => arrivals === "even")!;
  const { vms, without, with: capped } = storm;
  return [
    ...(first === undefined
      ? []
      : [
          prose`A boot alone takes ${timeText(aloneMs)}, of which ${demandProse(first)}${second === undefined ? "" : prose` and ${demandProse(second)}`}: by theory boots wait for each other from ${threeDigits(boundBoots)} in service on.`,
        ]),
    prose`Evenly spaced, requests may come at ${rateText(even.perSecond, unit)} for the same p99${target.asked ? "" : ", twice the time of a boot alone"}.`,
    prose`${vmsText(vms)} at once are all ready after ${timeText(capped.allReadyMs)} with the cap, and after ${timeText(without.allReadyMs)} without; the mean since the request is ${timeText(capped.meanMs)} instead of ${timeText(without.meanMs)}.`,
  ];
}

function demandProse({ name, demandMs }: Plan["resources"][number]): Prose {
  return name === "CPUs"
    ? prose`${msText(demandMs)} of all CPUs together`
    : prose`${msText(demandMs)} of ${lockProse(name)}`;
}

function confirmed({ gain, pointsOff, vms, cap }: Confirmation): Prose {
  const { value, low, high } = gain.measured;
  const range = low === high ? "" : ` (gain ${percent(low)} to ${percent(high)})`;
  const did =
    value < 0 ? `added ${percent(-value)} to the mean` : `took ${percent(value)} off the mean`;
  return prose`Real boots: a cap of ${cap} ${did} of ${vmsText(vms)} at once${range}; the gain predicted from fewer boots of the same run is ${percent(gain.predicted.value)}, so measured less predicted is ${signed(pointsOff)} points.`;
}

function curveSection(id: string, curve: Curve): Section {
  return {
    id,
    title: curve.title,
    html: figure((size) => curveChart(curve, size), id),
    text: ({ width, ascii }) => terminalPlot(curve, { width, height: 20, ascii }),
  };
}

function limits({ limits: { boots, psc, leaseMs }, ...plan }: Plan): Prose[] {
  const adapts = boots.name !== "boot-cap";
  return [
    prose`Boots: ${policyProse({ boots, leaseMs })}${adapts ? ": the range of the knee is too wide for a constant, so the policy looks for its place in it" : ", the knee"}.`,
    prose`Lease: ${msText(leaseMs)}, at least three times a boot in service at the knee: a launcher that does not renew keeps its permit.`,
    ...(psc === undefined
      ? []
      : [
          prose`Page state changes: ${code("psc-rate")} for each VM at ${formatCount(psc.vmPagesPerSecond)} pages a second, what a boot gets at the knee, and ${formatCount(psc.hostPagesPerSecond)} for the host. Guests that ask for more take it from others. Rates below ${formatCount(psc.heldFromPagesPerSecond)} a VM cannot be held: its exits are that large. This is for the VMM: the governor gives permits, it sees no exits.`,
        ]),
    prose`Start rate: what the answer says. With ${bootsText(plan.knee)} in service at most, requests that come faster wait in the queue, and it grows without end from ${rateText(plan.perSecond, rateUnit(plan.perSecond.value))} on.`,
  ];
}

function stormTable({ storm, knee, rates, perSecond }: Plan): Table {
  const even = rates.find(({ arrivals }) => arrivals === "even")!.perSecond.value;
  const unit = rateUnit(perSecond.value);
  const rows: readonly (readonly [string, StormTimes])[] = [
    ["no cap", storm.without],
    [`at most ${knee.value}`, storm.with],
    ...(even > 0
      ? [[`the same, ${threeDigits(even * unit.seconds)} a ${unit.name}`, storm.paced] as const]
      : []),
  ];
  const columns = (header: string, of: (times: StormTimes) => Planned, optional = false) => {
    const all = rows.map(([, times]) => of(times));
    return [
      {
        ...numberColumn(
          header,
          all.map(({ value }) => msText(value)),
        ),
        optional,
      },
      {
        ...numberColumn("range", all.map(rangeText)),
        optional,
      },
    ];
  };
  return {
    caption: `${vmsText(storm.vms)} wanted at once; all times since then`,
    columns: [
      textColumn(
        "limit",
        rows.map(([name]) => name),
      ),
      ...columns("mean", ({ meanMs }) => meanMs),
      ...columns("all ready", ({ allReadyMs }) => allReadyMs),
      ...columns("p99", ({ p99Ms }) => p99Ms, true),
    ],
    empty: "",
    note: "The last line starts them one after the other at the rate that may come evenly spaced: boots that begin together stay in step, all of them wanting the same at the same time.",
  };
}

/** With its unit once, where both ends have the same: `170 to 511 s`. */
function rangeText({ low, high }: Planned): string {
  const [from, to] = [msText(low), msText(high)];
  const unit = to.slice(to.lastIndexOf(" "));
  return `${from.endsWith(unit) ? from.slice(0, -unit.length) : from} to ${to}`;
}

function confirmTable(confirmation: Confirmation): Table {
  const { without, with: capped, gain, vms, cap, pointsOff, rounds } = confirmation;
  const off = ({ predicted, measured }: Confirmed) =>
    `${signed(100 * (measured.value / predicted.value - 1))} %`;
  const texts = (of: (one: Confirmed) => Planned) => ({
    values: [without, capped].map((one) => msText(of(one).value)).concat(percent(of(gain).value)),
    ranges: [without, capped]
      .map((one) => `${msText(of(one).low)} to ${msText(of(one).high)}`)
      .concat(`${percent(of(gain).low)} to ${percent(of(gain).high)}`),
  });
  const [predicted, measured] = [texts((one) => one.predicted), texts((one) => one.measured)];
  return {
    caption: `${vmsText(vms)} at once, mean since the request, ${counted(rounds, "round")} each`,
    columns: [
      textColumn("", ["no cap", `at most ${cap}`, "gain"]),
      numberColumn("predicted", predicted.values),
      { ...numberColumn("range", predicted.ranges), optional: true },
      numberColumn("measured", measured.values),
      numberColumn("range", measured.ranges),
      numberColumn("off", [off(without), off(capped), `${signed(pointsOff)} points`]),
    ],
    empty: "",
  };
}

/** A gain may be none: `formatShare` is for shares. */
function percent(share: number): string {
  const rounded = Math.round(100 * share);
  return `${rounded < 0 ? "−" : ""}${Math.abs(rounded)} %`;
}

function signed(value: number): string {
  return `${value < 0 ? "−" : "+"}${threeDigits(Math.abs(value))}`;
}

function choiceTable({ choices, storm }: Plan): Table {
  const unit = rateUnit(choices[0]!.perSecond);
  const times = (of: (choice: Plan["choices"][number]) => number) =>
    nsColumn(choices.map((choice) => of(choice) * 1e6));
  const [mean, ready] = [times(({ meanMs }) => meanMs), times((one) => one.allReadyMs)];
  return {
    caption: `Each with the cap that is its own knee; ${vmsText(storm.vms)} at once`,
    columns: [
      textColumn(
        "choice",
        choices.map(({ name }) => name),
      ),
      textColumn(
        "locks",
        choices.map(({ verdict }) => verdict),
      ),
      numberColumn(
        "knee",
        choices.map(({ knee }) => formatCount(knee)),
      ),
      numberColumn(
        `boots a ${unit.name}`,
        choices.map(({ perSecond }) => threeDigits(perSecond * unit.seconds)),
      ),
      numberColumn(
        "against now",
        choices.map(({ perSecond }) => `${threeDigits(perSecond / choices[0]!.perSecond)}×`),
      ),
      numberColumn(`all ready, ${ready.unit}`, ready.cells),
      { ...numberColumn(`mean, ${mean.unit}`, mean.cells), optional: true },
    ],
    empty: "",
    note: "One storm each with the same chance, so that they can be compared with each other; they have no range of their own. locks: the checker's verdict on the lock design.",
  };
}

function textColumn(header: string, cells: readonly string[]): Column {
  return { header, cells, align: "left", whole: true };
}

function numberColumn(header: string, cells: readonly string[]): Column {
  return { header, cells, align: "right" };
}
