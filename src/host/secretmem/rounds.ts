import {
  type RoundAsk,
  type RoundKind,
  type RoundResult,
  startedTogether,
} from "../../core/analyze/pressure.ts";
import { randomFrom, shuffled } from "../../core/random.ts";
import type { Crew } from "./crew.ts";

export interface RoundsPlan {
  readonly processCounts: readonly number[];
  readonly pages: number;
  /** How many rounds of each kind at each number of processes. */
  readonly repetitions: number;
  readonly seed: number;
}

const KINDS: readonly RoundKind[] = ["secret", "plain"];

/** Both kinds at each number of processes. */
export function orderRounds({ processCounts, pages, repetitions, seed }: RoundsPlan): RoundAsk[] {
  const block = processCounts.flatMap((processes) =>
    KINDS.map((kind) => ({ kind, processes, pages })),
  );
  return inRandomOrder(block, repetitions, seed);
}

/**
 * All rounds in random order, shuffled within each repetition: whatever changes slowly on the host
 * (another load, the CPU's clock, fragmentation) meets all of them alike.
 */
export function inRandomOrder(
  block: readonly RoundAsk[],
  repetitions: number,
  seed: number,
): RoundAsk[] {
  const random = randomFrom(seed);
  return Array.from({ length: repetitions }, () => shuffled(block, random)).flat();
}

// On a shared host about one round in twenty loses a CPU at the start line.
const ATTEMPTS_MAX = 5;

export interface RoundsRun {
  readonly rounds: readonly RoundResult[];
  /** Runs that do not count because the processes did not start together. */
  readonly rejected: number;
  /** Rounds that count although they were disturbed: no better run came. */
  readonly disturbed: number;
}

/** Which rounds count. */
export interface RoundRule {
  /** The processes started together, where that matters. */
  isTogether(round: RoundResult): boolean;
  /** Nothing else disturbed it. */
  isCalm(round: RoundResult): boolean;
}

const TOGETHER: RoundRule = { isTogether: startedTogether, isCalm: () => true };

/**
 * Runs rounds one after the other. One whose processes did not start together, or that was disturbed
 * otherwise, is run again, a few times. If they never start together it is missing from the answer;
 * if it is always disturbed, the last run counts.
 * @throws what `crew.round` throws
 */
export async function runRounds(
  crew: Pick<Crew, "round">,
  asks: readonly RoundAsk[],
  onRound: () => void = () => {},
  rule: RoundRule = TOGETHER,
): Promise<RoundsRun> {
  const rounds: RoundResult[] = [];
  let rejected = 0;
  let disturbed = 0;
  for (const ask of asks) {
    let kept: RoundResult | undefined;
    let calm = false;
    for (let attempt = 0; attempt < ATTEMPTS_MAX && !calm; attempt += 1) {
      const round = await crew.round(ask);
      if (rule.isTogether(round)) {
        kept = round;
        calm = rule.isCalm(round);
      } else {
        rejected += 1;
      }
    }
    if (kept !== undefined) {
      rounds.push(kept);
      if (!calm) disturbed += 1;
    }
    onRound();
  }
  return { rounds, rejected, disturbed };
}
