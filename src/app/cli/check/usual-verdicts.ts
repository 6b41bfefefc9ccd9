// Verdicts that other commands show beside their own answer, under the usual assumptions.
import { DESIGN_BY_NAME } from "../../../core/kernel/design/index.ts";
import type { TimedVerdict } from "../../../core/report/check-report.ts";
import type { Session } from "../run.ts";
import { checkInThread } from "./thread.ts";

/** Every violation we know needs two CPUs; three show that a third changes nothing. */
const CPUS = 3;

/** A design of ours, by name, and the entries it is asked about at the start. */
export interface AskedDesign {
  readonly name: string;
  /** Absent: as the operations say. */
  readonly start?: "4k";
}

/**
 * @param designs  a name alone: as the operations say
 * @returns design by design, in the order of the operations
 */
export async function usualVerdicts(
  session: Session,
  designs: readonly (string | AskedDesign)[],
  operations: readonly string[],
): Promise<readonly TimedVerdict[]> {
  const asked = designs.map((each) => (typeof each === "string" ? { name: each } : each));
  const questions = asked.flatMap(({ name, ...start }) =>
    operations.map((each) => ({
      design: DESIGN_BY_NAME.get(name)!,
      operations: each,
      cpus: CPUS,
      regions: 1,
      ...start,
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
