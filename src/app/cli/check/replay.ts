import { replaySaved, type SavedSchedule, type Verdict } from "../../../core/check/check.ts";
import { LAWS } from "../../../core/kernel/law.ts";

/** A replayed schedule as a verdict: what it breaks now, whatever it broke when it was saved. */
export function replayVerdict(schedule: SavedSchedule): Verdict {
  const replay = replaySaved(schedule);
  const asked = LAWS.filter((law) => law.id === schedule.law && replay.broken & law.bit);
  const [law] = asked;
  const { programs, pages, regions, design } = schedule;
  const nothing = { bothSizes: 0, flushCleared: 0, storeAfterDetach: 0, returnFlushed: 0 };
  return {
    design: design.name,
    operations: programs.map((requests) => requests.join(" ")).join(", "),
    cpus: programs.length,
    pages,
    regions,
    states: replay.steps.length,
    transitions: replay.steps.length,
    complete: false,
    warnings: [],
    assumptions: ["one saved schedule was run again; nothing else was tried"],
    coverage: {
      depth: replay.steps.length,
      statesWithoutSymmetry: replay.steps.length,
      reductions: [],
      reached: [],
      unreached: [],
      locks: [],
      tested: nothing,
      missing: [],
    },
    ...(law === undefined
      ? {
          verdict: "unknown",
          unknown: { why: "vacuous", text: `the schedule no longer breaks ${schedule.law}` },
        }
      : { verdict: "unsafe", counterexample: { law, laws: asked, programs, replay, schedule } }),
  };
}
