// Verdicts that other commands show beside their own answer, under the usual assumptions.
import { DESIGN_BY_NAME } from "../../../core/kernel/design/index.ts";
import type { TimedVerdict } from "../../../core/report/check-report.ts";
import type { Session } from "../run.ts";
import { checkInThread } from "./thread.ts";

/** Every violation we know needs two CPUs; three show that a third changes nothing. */
const CPUS = 3;

/** @param designs  names of ours */
export async function usualVerdicts(
  session: Session,
  designs: readonly string[],
  operations: readonly string[],
): Promise<readonly TimedVerdict[]> {
  const questions = designs.flatMap((name) =>
    operations.map((each) => ({
      design: DESIGN_BY_NAME.get(name)!,
      operations: each,
      cpus: CPUS,
      regions: 1,
      tlbRule: "note-2007" as const,
      memoryModel: "sc" as const,
      flush: "broadcast" as const,
    })),
  );
  const { verdicts } = await checkInThread(session, {
    questions,
    removals: false,
    memoryBytes: 2 ** 29,
    limitMs: 60_000,
    merge: true,
    symmetry: true,
  });
  return verdicts;
}
