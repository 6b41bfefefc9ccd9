import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type RoundAsk, type RoundResult, startedTogether } from "../../core/analyze/pressure.ts";
import { orderRounds, runRounds } from "./rounds.ts";

const plan = { processCounts: [1, 2, 4], pages: 8, repetitions: 3, seed: 5 };
const key = ({ kind, processes, pages }: RoundAsk) => `${kind} ${processes} ${pages}`;

describe("the order of rounds", () => {
  test("every repetition has every round once, in whatever order the seed gives", () => {
    fc.assert(
      fc.property(fc.integer(), (seed) => {
        const keys = orderRounds({ ...plan, seed }).map(key);
        expect(keys).toHaveLength(18);
        for (const block of [keys.slice(0, 6), keys.slice(6, 12), keys.slice(12)]) {
          expect(block.sort()).toEqual([
            "plain 1 8",
            "plain 2 8",
            "plain 4 8",
            "secret 1 8",
            "secret 2 8",
            "secret 4 8",
          ]);
        }
      }),
    );
  });

  test("the same seed, the same order; another seed, another", () => {
    expect(orderRounds(plan)).toEqual(orderRounds(plan));
    expect(orderRounds({ ...plan, seed: 6 })).not.toEqual(orderRounds(plan));
  });
});

describe("running rounds", () => {
  const ask: RoundAsk = { kind: "plain", processes: 2, pages: 8 };
  const span = (start: number) => ({ startNs: BigInt(start), endNs: 1000n });
  const result = (startNs: number): RoundResult => ({
    ...ask,
    workers: [0, startNs].map((start, cpu) => ({
      pid: cpu,
      cpu,
      fill: span(start),
      free: span(0),
    })),
  });
  const crewOf = (starts: readonly number[]) => {
    const left = [...starts];
    return { round: async () => result(left.shift()!) };
  };

  test("a round where a process came late is counted and run again", async () => {
    let done = 0;
    const run = await runRounds(crewOf([0, 500, 500, 1]), [ask, ask], () => {
      done += 1;
    });
    expect(run).toEqual({ rounds: [result(0), result(1)], rejected: 2, disturbed: 0 });
    expect(done).toBe(2);
  });

  test("a round that never succeeds is given up after five runs, and all are counted", async () => {
    const run = await runRounds(crewOf([500, 500, 500, 500, 500, 0]), [ask, ask]);
    expect(run).toEqual({ rounds: [result(0)], rejected: 5, disturbed: 0 });
  });

  test("a disturbed round is run again too; after five runs the last one counts, and is told", async () => {
    const rule = {
      isTogether: startedTogether,
      isCalm: (round: RoundResult) => round.workers[1]!.fill.startNs < 10n,
    };
    const again = await runRounds(crewOf([20, 1]), [ask], () => {}, rule);
    expect(again).toEqual({ rounds: [result(1)], rejected: 0, disturbed: 0 });
    const never = await runRounds(crewOf([20, 21, 500, 22, 23]), [ask], () => {}, rule);
    expect(never).toEqual({ rounds: [result(23)], rejected: 1, disturbed: 1 });
  });
});
