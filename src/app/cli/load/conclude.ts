import { cpus, release } from "node:os";
import {
  answerOf,
  findingsOf,
  type InvestigateResult,
  type Missing,
} from "../../../core/analyze/investigate.ts";
import { busiestWindow, waitTimeline } from "../../../core/analyze/wait-timeline.ts";
import type { HostFact } from "../../../core/facts/host-fact.ts";
import type { LoadOptions, LoadRecording, LoadRun } from "./load.ts";

/** What the timeline shows: some ten pages' work of each process, so that each wait is seen. */
const WINDOW_NS = 500_000;
const WINDOW_WAITS_MAX = 1000;

/** What was measured, or why not, and on which host: everything a report of the load needs. */
export function conclude(options: {
  readonly load: LoadRun | Missing;
  readonly host: readonly HostFact[];
  readonly reproduce: readonly string[];
}): InvestigateResult {
  const { load, host, reproduce } = options;
  const run = "pressure" in load ? load : undefined;
  const findings = findingsOf(run?.pressure, {
    cpuCount: cpus().length,
    ...("why" in load ? { whyNoPressure: load.why } : {}),
    ...(run?.notRecorded === undefined ? {} : { whyNotRecorded: run.notRecorded.why }),
  });
  return {
    answer: answerOf(findings),
    kernel: { release: release(), cpuCount: cpus().length, cpuModel: cpus()[0]?.model ?? "" },
    host,
    findings,
    ...(run === undefined ? {} : { pressure: run.pressure }),
    ...(run?.recording === undefined ? {} : timelineOf(run.recording)),
    missing: [
      ...("why" in load ? [load] : []),
      ...(run?.notRecorded === undefined ? [] : [run.notRecorded]),
    ],
    reproduce,
  };
}

function timelineOf({ timed, witness, visibility }: LoadRecording) {
  const window = { ...busiestWindow(timed, WINDOW_NS), waitsMax: WINDOW_WAITS_MAX };
  return { timeline: waitTimeline(timed, { ...window, witness }), spinlockVisibility: visibility };
}

/** The command line that runs the same load again. */
export function loadCommand(command: string, options: LoadOptions): string {
  const { processCounts, rounds, warmups, pagesPerProcess, memoryShare, seed, record } = options;
  // As a person wrote it: 0.29 × 100 is not 29 in binary.
  const percent = Number((memoryShare * 100).toPrecision(12));
  return [
    `bootstorm ${command} --processes ${processCounts.join(",")} --rounds ${rounds}`,
    `--warmups ${warmups} --pages ${pagesPerProcess} --memory-share ${percent}`,
    `--seed ${seed}${record ? "" : " --no-record"} --yes`,
  ].join(" ");
}
