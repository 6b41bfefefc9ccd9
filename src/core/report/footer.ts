import type { ContentionResult, PressureResult, TraceSummary } from "../analyze/result.ts";
import type { DirectMapCounters } from "../facts/direct-map-counters.ts";
import { formatBytes, formatCount, formatNs } from "../units.ts";
import { element, group, type Markup } from "./markup.ts";
import { visible, wrap } from "./plain-text.ts";
import { proseMarkup } from "./prose.ts";
import { cpus } from "./words.ts";

/** A label and what is to say under it. */
export interface Fact {
  readonly label: string;
  readonly text: string;
}

/** Where lock events come from. Lost and rejected are said also when they are none. */
export function traceFacts(trace: TraceSummary): readonly Fact[] {
  return [
    { label: "source", text: trace.source },
    { label: "observed", text: `${formatNs(trace.spanNs)} on ${cpus(trace.cpuCount)}` },
    { label: "events", text: formatCount(trace.events) },
    { label: "lost", text: formatCount(trace.lost) },
    { label: "rejected", text: rejectsText(trace) },
    { label: "can see", text: trace.sees.length === 0 ? "nothing" : trace.sees.join(", ") },
  ];
}

/** How the load was run, and what it did to the host's direct map. */
export function loadFacts(
  pressure: Pick<PressureResult, "pagesPerProcess" | "rounds" | "seed" | "directMap">,
): readonly Fact[] {
  const { pagesPerProcess, rounds, seed, directMap } = pressure;
  const pages = `${formatCount(pagesPerProcess)} pages (${formatBytes(pagesPerProcess * 4096)})`;
  return [
    { label: "load", text: `${pages} a process, ${formatCount(rounds)} rounds, seed ${seed}` },
    { label: "direct map before", text: directMapText(directMap.before) },
    { label: "direct map after", text: directMapText(directMap.after) },
  ];
}

/** Everything on how a recording of the load was obtained, or that there was none. */
export function obtainedFacts(pressure: PressureResult): readonly Fact[] {
  const contention: ContentionResult | undefined = pressure.contention;
  const recorded =
    contention === undefined
      ? [{ label: "lock events", text: "not recorded" }]
      : traceFacts(contention.trace);
  return [...loadFacts(pressure), ...recorded];
}

export function footerText(facts: readonly Fact[], width: number): string {
  const labelWidth = Math.max(0, ...facts.map((fact) => fact.label.length)) + 2;
  return facts
    .map(({ label, text }) =>
      wrap(label.padEnd(labelWidth) + visible(text), width, " ".repeat(labelWidth)),
    )
    .join("\n");
}

export function footerMarkup(facts: readonly Fact[]): Markup {
  const items = facts.map(({ label, text }) =>
    element("div", {}, element("dt", {}, label), element("dd", {}, proseMarkup([text]))),
  );
  return element("dl", { class: "facts" }, group("", ...items, ""));
}

function rejectsText({ rejects }: TraceSummary): string {
  if (rejects.length === 0) return "0";
  return rejects.map(({ why, count }) => `${formatCount(count)} (${why})`).join(", ");
}

function directMapText(counters: DirectMapCounters): string {
  const sizes: readonly (readonly [string, number | undefined])[] = [
    ["1 GiB entries", counters.map1gBytes],
    ["2 MiB entries", counters.map2mBytes],
    ["4 KiB entries", counters.map4kBytes],
  ];
  const counts: readonly (readonly [string, number | undefined])[] = [
    ["splits of 1 GiB", counters.level3Splits],
    ["splits of 2 MiB", counters.level2Splits],
    ["collapses to 1 GiB", counters.level3Collapses],
    ["collapses to 2 MiB", counters.level2Collapses],
  ];
  const parts = [
    ...sizes.flatMap(([name, bytes]) =>
      bytes === undefined ? [] : `${formatBytes(bytes)} in ${name}`,
    ),
    ...counts.flatMap(([name, count]) =>
      count === undefined ? [] : `${formatCount(count)} ${name}`,
    ),
  ];
  return parts.length === 0 ? "this kernel does not count it" : parts.join(", ");
}
