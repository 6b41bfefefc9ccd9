import type { KernelGains, KernelPredictionOutcome } from "../../analyze/kernel-ab/gains.ts";
import type { LockMove } from "../../analyze/kernel-ab/lock-moves.ts";
import type { KernelAbResult, KernelRun } from "../../analyze/kernel-ab/result.ts";
import type { TimedVerdict } from "../check-report.ts";
import type { Fact } from "../footer.ts";

/** All that the report of a comparison of kernels tells. */
export interface KernelAbReport {
  readonly run: KernelRun;
  readonly result: KernelAbResult;
  readonly prediction: KernelPredictionOutcome;
  readonly gains: KernelGains;
  readonly moves: readonly LockMove[];
  /** By arm, of each operation; empty where it is not known which design the arm is. */
  readonly verdicts: readonly (readonly TimedVerdict[])[];
  /** Boots that could not be read, by reason. */
  readonly rejects: readonly { readonly why: string; readonly count: number }[];
  readonly obtained: readonly Fact[];
  readonly reproduce: readonly string[];
}
