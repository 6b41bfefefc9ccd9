import {
  type RoundAsk,
  type RoundKind,
  type RoundResult,
  startedTogether,
} from "../../core/analyze/pressure.ts";
import { type Random, randomFrom } from "../../core/random.ts";
import type { Crew } from "./crew.ts";

export interface RoundsPlan {
  readonly processCounts: readonly number[];
  readonly pages: number;
  /** How many rounds of each kind at each number of processes. */
  readonly repetitions: number;
  readonly seed: number;
}

const KINDS: readonly RoundKind[] = ["secret", "plain"];

/**
 * All rounds of a plan in random order, shuffled within each repetition: whatever changes slowly
 * on the host (another load, the CPU's clock, fragmentation) meets all of them alike.
 */
export function orderRounds(plan: RoundsPlan): RoundAsk[] {
  const random = randomFrom(plan.seed);
  const block = plan.processCounts.flatMap((processes) =>
    KINDS.map((kind) => ({ kind, processes, pages: plan.pages })),
  );
  return Array.from({ length: plan.repetitions }, () => shuffled(block, random)).flat();
}

// On a shared host about one round in twenty loses a CPU at the start line.
const ATTEMPTS_MAX = 5;

export interface RoundsRun {
  readonly rounds: readonly RoundResult[];
  /** Runs that do not count because the processes did not start together. */
  readonly rejected: number;
}

/**
 * Runs rounds one after the other. One whose processes did not start together is run again, a few
 * times; if it never succeeds it is missing from the answer.
 * @throws what `crew.round` throws
 */
export async function runRounds(
  crew: Pick<Crew, "round">,
  asks: readonly RoundAsk[],
  onRound: () => void = () => {},
): Promise<RoundsRun> {
  const rounds: RoundResult[] = [];
  let rejected = 0;
  for (const ask of asks) {
    for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt += 1) {
      const round = await crew.round(ask);
      if (startedTogether(round)) {
        rounds.push(round);
        break;
      }
      rejected += 1;
    }
    onRound();
  }
  return { rounds, rejected };
}

/** Fisher and Yates. */
function shuffled<T>(values: readonly T[], random: Random): T[] {
  const result = [...values];
  for (let i = result.length - 1; i > 0; i -= 1) {
    const j = random.below(i + 1);
    [result[i], result[j]] = [result[j]!, result[i]!];
  }
  return result;
}
