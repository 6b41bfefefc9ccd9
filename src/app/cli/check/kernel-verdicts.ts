// The verdicts that fit the kernel we run on: its own lock design, the same without cpa_lock, and
// the two fixes that keep the lock away from what SNP hosts do most.
import { TABLE_OPERATIONS } from "../../../core/check/question.ts";
import type { CpaGeneration } from "../../../core/facts/cpa-generation.ts";
import type { TimedVerdict } from "../../../core/report/check-report.ts";
import type { Session } from "../run.ts";
import { verdictJson } from "./json.ts";
import { usualVerdicts } from "./usual-verdicts.ts";

export interface KernelVerdicts {
  /** The design of the running kernel. */
  readonly own: string;
  /** The same without cpa_lock; absent where there is none to remove. */
  readonly without?: string;
  readonly verdicts: readonly TimedVerdict[];
}

const DESIGNS_OF: Readonly<
  Record<CpaGeneration, readonly [own: string, without?: string] | undefined>
> = {
  none: undefined,
  unknown: undefined,
  "before-2.6.28": ["linux-2.6.27"],
  "2.6.28": ["linux-2.6.28", "linux-2.6.28-no-cpa-lock"],
  "4.20": ["linux-4.20", "no-cpa-lock"],
  "6.15": ["linux-6.15", "linux-6.15-no-cpa-lock"],
  "2026-fixes": ["linux-7.3", "linux-7.3-no-cpa-lock"],
};
const FIXES = ["skip-for-present", "per-pmd-lock"];

/** @returns undefined where the kernel's generation is not known */
export async function kernelVerdicts(
  session: Session,
  generation: CpaGeneration,
): Promise<KernelVerdicts | undefined> {
  const designs = DESIGNS_OF[generation];
  if (designs === undefined) return undefined;
  const [own, without] = designs;
  const verdicts = await usualVerdicts(
    session,
    [own, ...(without === undefined ? [] : [without]), ...FIXES],
    TABLE_OPERATIONS,
  );
  return { own, ...(without === undefined ? {} : { without }), verdicts };
}

/** For `--json`. */
export function kernelVerdictsJson({ verdicts, ...designs }: KernelVerdicts) {
  return { ...designs, verdicts: verdicts.map(verdictJson) };
}
