// What a plan's numbers are called.
import type { Plan } from "../plan/plan.ts";
import type { Planned } from "../plan/planned.ts";
import { formatCount, threeDigits } from "../units.ts";
import { code, type Prose, prose } from "./prose.ts";
import { lockProse, msText } from "./storm-words.ts";
import { counted } from "./words.ts";

/** Boots in a time in which there are some: numbers below one are hard to compare. */
export interface RateUnit {
  readonly name: "second" | "minute" | "hour";
  readonly seconds: number;
}

/** @param perSecond  the rate that all others stand beside */
export function rateUnit(perSecond: number): RateUnit {
  if (perSecond >= 1) return { name: "second", seconds: 1 };
  if (perSecond >= 1 / 60) return { name: "minute", seconds: 60 };
  return { name: "hour", seconds: 3600 };
}

/** `24.2 boots a minute (20.1 to 26.0)`. */
export function rateText(rate: Planned, unit: RateUnit): string {
  return plannedText(rate, (perSecond) => threeDigits(perSecond * unit.seconds), {
    after: ` boots a ${unit.name}`,
  });
}

/** `9.68 s (9.10 s to 12.2 s)`. */
export function timeText(time: Planned): string {
  return plannedText(time, msText);
}

/** `5 boots (4 to 8)`. */
export function bootsText(boots: Planned): string {
  return plannedText(boots, formatCount, { after: boots.value === 1 ? " boot" : " boots" });
}

/** Without the range where it says nothing. */
function plannedText(
  { value, low, high }: Planned,
  format: (value: number) => string,
  { after = "" } = {},
): string {
  const [own, from, to] = [value, low, high].map(format);
  return own === from && own === to ? `${own}${after}` : `${own}${after} (${from} to ${to})`;
}

/** What boots wait for beyond the knee; the bound's resource. */
export function resourceProse({ resources }: Pick<Plan, "resources">): Prose {
  const name = resources[0]?.name;
  if (name === undefined) return prose`nothing that they share`;
  return name === "CPUs" ? prose`the CPUs` : lockProse(name);
}

/** `boot-cap with boots 5`. */
export function policyProse({ boots }: Plan["limits"]): Prose {
  const options = Object.entries(boots.options).map(([key, value]) => `${key} ${String(value)}`);
  return prose`${code(boots.name)} with ${options.join(", ")}`;
}

export function vmsText(vms: number): string {
  return counted(vms, "VM");
}
