import type { Estimate } from "../../stats/resample.ts";
import type { GuestCosts } from "./guest-costs.ts";
import type { GuestCost } from "./prediction.ts";

/** Costs as a row of numbers, for the statistics. */
export interface CostRow {
  values(costs: GuestCosts): readonly number[];
  costs(values: readonly number[]): GuestCosts;
  named(estimates: readonly Estimate[]): readonly GuestCost[];
}

/** @param like  what it has every row has */
export function rowOf(like: GuestCosts): CostRow {
  const sizes = [...like.idleAnswerNs.keys()];
  const runs = like.runningAnswerNs !== undefined;
  const spins = like.spinNs !== undefined;
  const names = [
    "change of a 4 KiB entry under the lock",
    "the rest of an operation",
    "hand-over of the lock to a waiter",
    "split of a 2 MiB entry, without its flush",
    ...sizes.map((vcpus) => `answer of an idle vCPU to a flush, ${vcpus} vCPUs`),
    ...(runs ? ["answer of a vCPU that runs to a flush"] : []),
    ...(spins ? ["spinning until another vCPU gets the CPU"] : []),
  ];
  return {
    values: ({ holdNs, outsideNs, handOverNs, splitNs, idleAnswerNs, runningAnswerNs, spinNs }) => [
      ...[holdNs, outsideNs, handOverNs, splitNs],
      ...sizes.map((vcpus) => idleAnswerNs.get(vcpus)!),
      ...(runs ? [runningAnswerNs!] : []),
      ...(spins ? [spinNs!] : []),
    ],
    costs: ([holdNs, outsideNs, handOverNs, splitNs, ...others]) => ({
      holdNs: holdNs!,
      outsideNs: outsideNs!,
      handOverNs: handOverNs!,
      splitNs: splitNs!,
      idleAnswerNs: new Map(sizes.map((vcpus, i) => [vcpus, others[i]!])),
      ...(runs ? { runningAnswerNs: others[sizes.length]! } : {}),
      ...(spins ? { spinNs: others.at(-1)! } : {}),
    }),
    named: (estimates) =>
      estimates.map(({ value, low, high }, i) => ({
        name: names[i]!,
        ns: value,
        low: Math.min(value, low),
        high: Math.max(value, high),
      })),
  };
}
