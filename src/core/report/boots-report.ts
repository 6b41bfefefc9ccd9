// The report of real boots: the answer, the curve, where the time goes, the locks, the doubts.

import type { BootsResult, RoundSummary } from "../analyze/boots-result.ts";
import { formatCount } from "../units.ts";
import { bootsCaveats } from "./boots-caveats.ts";
import { bootsSections } from "./boots-sections.ts";
import { bootsAnswer, bootsFindings } from "./boots-sentence.ts";
import { ACCELERATOR_WORDS } from "./boots-words.ts";
import { type Fact, traceFacts } from "./footer.ts";
import type { Maker } from "./investigate-report.ts";
import type { Report } from "./report.ts";
import { caveatSection, obtainedSection, reproduceSection } from "./sections.ts";
import { counted } from "./words.ts";

/** What only who ran the storm knows. */
export interface BootsRun {
  /** The host, the VMs, the scenario. */
  readonly obtained: readonly Fact[];
  /** Commands that repeat it. */
  readonly reproduce: readonly string[];
}

/** The report of `storm`, and of the rounds that it left. */
export function bootsReport(
  result: BootsResult,
  maker: Maker,
  { obtained, reproduce }: BootsRun = { obtained: [], reproduce: [] },
): Report {
  return {
    title: "bootstorm: real boots",
    subject: subjectOf(result),
    answer: bootsAnswer(result),
    findings: bootsFindings(result),
    sections: [
      ...bootsSections(result),
      caveatSection(bootsCaveats(result)),
      obtainedSection([...obtained, ...roundFacts(result)]),
      ...(reproduce.length === 0 ? [] : [reproduceSection(reproduce)]),
    ],
    colophon: `Made by bootstorm ${maker.version}, ${maker.at}.`,
  };
}

function subjectOf({ points, rounds }: BootsResult): string {
  const boots = points.reduce((sum, point) => sum + point.boots, 0);
  const accelerators = [...new Set(points.flatMap((point) => point.accelerators))];
  const how = accelerators.map((each) => ACCELERATOR_WORDS[each]).join(" and ");
  const measured = rounds.filter(({ role }) => role === "measured").length;
  const by = how === "" ? "" : `, by ${how}`;
  return `${counted(boots, "real boot")} in ${counted(measured, "round")}${by}`;
}

/** How the rounds came about; what was rejected is said also when it is nothing. */
function roundFacts({ rounds, rejects, seed, contention, locks }: BootsResult): readonly Fact[] {
  const count = (role: RoundSummary["role"]) =>
    rounds.filter((round) => round.role === role).length;
  const rejected = rejects.map(({ why, count: lines }) => `${formatCount(lines)} (${why})`);
  const recorded = locks.reduce((sum, point) => sum + point.rounds, 0);
  return [
    {
      label: "rounds",
      text: `${count("measured")} measured, ${count("warm-up")} to warm up, ${count("recorded")} only for the recording`,
    },
    { label: "rejected rounds", text: rejected.length === 0 ? "0" : rejected.join(", ") },
    { label: "seed", text: `${seed}` },
    {
      label: "lock waits",
      text: recorded === 0 ? "not recorded" : `of ${counted(recorded, "round")}`,
    },
    ...(contention === undefined ? [] : traceFacts(contention.trace)),
  ];
}
