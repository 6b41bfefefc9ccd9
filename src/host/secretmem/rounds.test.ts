import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { RoundAsk, RoundResult } from "../../core/analyze/pressure.ts";
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
    expect(run).toEqual({ rounds: [result(0), result(1)], rejected: 2 });
    expect(done).toBe(2);
  });

  test("a round that never succeeds is given up after five runs, and all are counted", async () => {
    const run = await runRounds(crewOf([500, 500, 500, 500, 500, 0]), [ask, ask]);
    expect(run).toEqual({ rounds: [result(0)], rejected: 5 });
  });
});
