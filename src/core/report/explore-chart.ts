// Boot times of design × policy over the number of VMs; what is alike is one line.
import type { Curve, CurveSeries } from "./curve.ts";
import type { ExploreRow } from "./explore-report.ts";
import { SERIES_COLOURS } from "./palette.ts";
import { barsNote, scaled } from "./storm-chart.ts";
import { msText } from "./storm-words.ts";

/** Lines that are nowhere further apart than this are one: on a logarithmic axis they would touch. */
const ALIKE = 1.15;
/** Designs that readers know: what most hosts run, and the patch that was refused. */
const KNOWN = ["linux-4.20", "no-cpa-lock"];

/**
 * The policy of a line is its colour; dashes say that it is not safe. Unsafe designs are drawn with the
 * first policy alone: they are there to be compared with, not to be chosen.
 */
export function exploreCurve(rows: readonly ExploreRow[], replications: number): Curve {
  const policies = [...new Set(rows.map((row) => row.policy))];
  const groups = policies.flatMap((policy, i) =>
    groupsOf(rows.filter((row) => row.policy === policy && (i === 0 || isSafe(row)))),
  );
  const series = groups.map((group): CurveSeries => {
    const { bootMs, policy } = group[0];
    return {
      name: nameOf(group),
      colour: SERIES_COLOURS[policies.indexOf(policy) % SERIES_COLOURS.length]!,
      dashed: !isSafe(group[0]),
      points: Object.entries(bootMs).map(([vms, ms]) => ({ x: Number(vms), y: scaled(ms, 1e-3) })),
      perfect: false,
    };
  });
  return {
    title: "Boot time against VMs started at once",
    description: groups.map(groupInWords).join(" "),
    xLabel: "VMs started at once",
    yLabel: "median boot time, s",
    scale: "log",
    series,
    notes: [
      "Colour: policy. +N: so many other designs within 15 % of that line.",
      ...(series.some((one) => one.dashed) ? ["Dashed: not safe."] : []),
      barsNote([replications]),
    ],
  };
}

/** True when all that was checked is safe. */
export function isSafe({ verdicts }: ExploreRow): boolean {
  return verdicts.every(({ verdict }) => verdict === "safe");
}

type Group = readonly [ExploreRow, ...ExploreRow[]];

/** Safe and other rows apart; the row that names a group first. */
function groupsOf(rows: readonly ExploreRow[]): Group[] {
  const groups: [ExploreRow, ...ExploreRow[]][] = [];
  for (const row of [...rows].sort((a, b) => rank(a) - rank(b))) {
    const own = groups.find(([first]) => isSafe(first) === isSafe(row) && isAlike(first, row));
    if (own === undefined) groups.push([row]);
    else own.push(row);
  }
  return groups;
}

function rank({ design, front }: ExploreRow): number {
  if (KNOWN.includes(design)) return 0;
  return front ? 1 : 2;
}

function isAlike(a: ExploreRow, b: ExploreRow): boolean {
  return Object.entries(a.bootMs).every(([vms, { median }]) => {
    const ratio = median / b.bootMs[vms]!.median;
    return Math.max(ratio, 1 / ratio) < ALIKE;
  });
}

/** `linux-4.20 +4, boot-cap`, `unsafe: no-cpa-lock +4`. */
function nameOf([{ design, policy, ...rest }, ...others]: Group): string {
  const safe = isSafe({ design, policy, ...rest }) ? "" : "unsafe: ";
  const more = others.length === 0 ? "" : ` +${others.length}`;
  return `${safe}${design}${more}${policy === "none" ? "" : `, ${policy}`}`;
}

function groupInWords(group: Group): string {
  const designs = group.map(({ design }) => design).join(", ");
  const boots = Object.entries(group[0].bootMs).map(
    ([vms, { median }]) => `${msText(median)} at ${vms}`,
  );
  const { policy } = group[0];
  return `${isSafe(group[0]) ? "Safe" : "Unsafe"}, policy ${policy}: ${designs}: ${boots.join(", ")}.`;
}
