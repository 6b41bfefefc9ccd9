import type { TimedVerdict } from "../../../core/report/check-report.ts";

/** A verdict as `--json` prints it, without the run that breaks a law. */
export function verdictJson({ verdict, elapsedMs }: TimedVerdict) {
  const { counterexample, ...rest } = verdict;
  return {
    ...rest,
    elapsedMs,
    ...(counterexample === undefined
      ? {}
      : {
          grade: counterexample.law.grade,
          law: counterexample.law.id,
          steps: counterexample.replay.steps.length,
          preemptions: counterexample.replay.preemptions,
        }),
  };
}
