// A plan as a configuration of the governor.
import type { Plan } from "../plan/plan.ts";
import { formatCount } from "../units.ts";
import { visible, wrap } from "./plain-text.ts";
import { bootsText, rateText, rateUnit, resourceProse, timeText } from "./plan-words.ts";
import { proseText } from "./prose.ts";
import { msText } from "./storm-words.ts";

const WIDTH = 98;
/** Longest lease of the governor unless it is told another. */
const LEASE_MAX_MS = 600_000;

/** @param about  how the plan can be had again */
export function governConfigText(
  plan: Plan,
  about: { readonly scenario: string; readonly command: string; readonly version: string },
): string {
  const { limits, knee, perSecond, rates, target, resources } = plan;
  const { boots, psc, leaseMs } = limits;
  const unit = rateUnit(perSecond.value);
  const options = Object.entries(boots.options)
    .map(([key, value]) => `${key}: ${String(value)}`)
    .join(", ");
  const poisson = rates.find(({ arrivals }) => arrivals === "poisson")!;
  const lines = [
    comment(`Planned by bootstorm ${about.version} for ${about.scenario}: ${about.command}`),
    comment(
      `Requests may come at random at ${rateText(poisson.perSecond, unit)} for a p99 of ${msText(target.p99Ms)} from request to ready. The governor does not hold back by rate; what comes faster waits.`,
    ),
    "policy:",
    comment(
      `Knee: ${bootsText(knee)} in service end ${rateText(perSecond, unit)}; more of them only wait for ${proseText(resourceProse({ resources }))}.`,
      2,
    ),
    ...(boots.name === "boot-cap"
      ? []
      : [
          comment(
            "The range of the knee is wide, so the cap looks for its place in it. For a constant:",
            2,
          ),
          comment(`- { name: boot-cap, options: { boots: ${knee.value} } }`, 2),
        ]),
    `  - { name: ${boots.name}, options: { ${options} } }`,
    "lease:",
    comment(
      `At least three times a boot in service at the knee; a boot alone takes ${timeText(plan.aloneMs)}.`,
      2,
    ),
    `  defaultMs: ${leaseMs}`,
    `  maxMs: ${Math.max(leaseMs, LEASE_MAX_MS)}`,
    ...(psc === undefined
      ? []
      : [
          comment(
            `Not the governor's, which sees no exits: page state changes, ${formatCount(psc.vmPagesPerSecond)} pages a second for each VM and ${formatCount(psc.hostPagesPerSecond)} for the host.`,
          ),
        ]),
  ];
  return `${lines.join("\n")}\n`;
}

/** On lines of its own: what comes from a scenario breaks out of none. */
function comment(text: string, indent = 0): string {
  const before = `${" ".repeat(indent)}# `;
  const lines = wrap(visible(text), WIDTH - before.length).split("\n");
  return lines.map((line) => `${before}${line}`).join("\n");
}
