import type { Finding, InvestigateResult } from "../analyze/investigate.ts";
import type { PressureResult } from "../analyze/result.ts";
import { caveatsOf } from "./caveats.ts";
import { obtainedFacts } from "./footer.ts";
import { lockTable, phaseShareTable } from "./lock-table.ts";
import type { Prose } from "./prose.ts";
import type { Report, Section } from "./report.ts";
import {
  caveatSection,
  curveSection,
  hostSection,
  lockSection,
  obtainedSection,
  reproduceSection,
  timelineSection,
} from "./sections.ts";
import { answerSentence, findingSentence, kernelInShort } from "./sentence.ts";
import type { Table } from "./table.ts";

/** What made the report, given by the app: core knows neither its version nor the time. */
export interface Maker {
  readonly version: string;
  /** As it is to be printed, such as `2025-11-22 11:20 UTC`. */
  readonly at: string;
}

/** What further steps of the job found. */
export interface MoreSteps {
  readonly findings: readonly Prose[];
  readonly sections: readonly Section[];
  readonly caveats?: readonly Prose[];
}

/** The report of `investigate`: the reader's order is the order of its sections. */
export function investigateReport(
  result: InvestigateResult,
  maker: Maker,
  more: MoreSteps = { findings: [], sections: [] },
): Report {
  const { pressure, timeline, kernel } = result;
  return {
    title: `bootstorm: ${kernelInShort(kernel)}`,
    subject: `${kernelInShort(kernel)}, ${kernel.cpuModel}`,
    answer: answerSentence(result),
    findings: [...result.findings.filter(hasNumbers).map(findingSentence), ...more.findings],
    sections: [
      ...(hasPoints(pressure) ? [curveSection(pressure), lockSection(lockTables(pressure))] : []),
      ...(timeline === undefined ? [] : [timelineSection(timeline)]),
      ...more.sections,
      ...(result.host.length === 0 ? [] : [hostSection(result.host)]),
      caveatSection([...caveatsOf(result), ...(more.caveats ?? [])]),
      ...(pressure === undefined ? [] : [obtainedSection(obtainedFacts(pressure))]),
      reproduceSection(result.reproduce),
    ],
    colophon: `Made by bootstorm ${maker.version}, ${maker.at}.`,
  };
}

function hasPoints(pressure: PressureResult | undefined): pressure is PressureResult {
  return pressure?.phases.some((phase) => phase.points.length > 0) ?? false;
}

/** The others are told in full by the answer. */
function hasNumbers({ kind }: Finding): boolean {
  return kind !== "no-pressure" && kind !== "no-comparison";
}

function lockTables({ contention, lockShares }: PressureResult): Table[] {
  return [
    ...(lockShares === undefined ? [] : [phaseShareTable(lockShares)]),
    ...(contention === undefined ? [] : [lockTable(contention)]),
  ];
}
