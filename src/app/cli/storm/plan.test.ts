import { expect, test } from "vitest";
import { createPolicy } from "../../../core/policy/registry.ts";
import {
  BOOT_POLICIES,
  limitOf,
  NO_LIMIT,
  planRounds,
  type StormPlan,
  scenarioLimit,
  vmsAtOnce,
} from "./plan.ts";

const PLAN: StormPlan = {
  vms: [1, 4],
  limits: [NO_LIMIT, limitOf("2")!],
  kinds: ["confidential", "plain"],
  pressures: [0, 1],
  repetitions: 3,
  warmUps: 2,
  witness: true,
  seed: 1,
};

const keyOf = ({ vms, limit, kind, pressure }: ReturnType<typeof planRounds>[number]) =>
  `${vms} ${limit.name} ${kind} ${pressure}`;

test("every combination comes once in every repetition, warm-ups before all, witnesses after all", () => {
  const rounds = planRounds(PLAN);
  const roles = rounds.map(({ role }) => role);
  expect(roles).toEqual([
    ...Array.from({ length: 2 }, () => "warm-up"),
    ...Array.from({ length: 3 * 16 }, () => "measured"),
    ...Array.from({ length: 16 }, () => "recorded"),
  ]);
  for (let block = 0; block < 4; block += 1) {
    const own = rounds.slice(2 + 16 * block, 2 + 16 * (block + 1));
    expect(new Set(own.map(keyOf)).size).toBe(16);
    expect(new Set(own.map(({ repetition }) => repetition)).size).toBe(1);
  }
  for (const round of rounds.slice(0, 2)) expect(round.vms).toBe(4);
});

test("the order is by chance, and the same for the same seed", () => {
  const order = (seed: number) => planRounds({ ...PLAN, seed }).map(keyOf);
  expect(order(1)).toEqual(order(1));
  expect(order(2)).not.toEqual(order(1));
  expect(order(1).slice(2, 18)).not.toEqual(order(1).slice(18, 34));
});

test("a limit is none, a number, or a policy that delays boots and nothing else", () => {
  for (const name of BOOT_POLICIES) expect(limitOf(name)?.policy[0]?.name).toBe(name);
  for (const word of ["", "0", "-1", "1.5", "psc-rate", "lazy-accept", "100001"]) {
    expect(limitOf(word), word).toBeUndefined();
  }
  for (const name of ["none", "7", ...BOOT_POLICIES]) createPolicy(limitOf(name)!.policy);
  const psc = { name: "psc-quota", options: {} };
  expect(() => scenarioLimit([psc])).toThrow("policy psc-quota: nothing here obeys it");
  expect(scenarioLimit([{ name: "none", options: {} }])).toBe(NO_LIMIT);
});

test("a number of boots bounds how many VMs are there at once; adaptive limits do not", () => {
  expect(vmsAtOnce(limitOf("2")!, 100)).toBe(2);
  expect(vmsAtOnce(limitOf("200")!, 100)).toBe(100);
  expect(vmsAtOnce(limitOf("boot-cap-aimd")!, 100)).toBe(100);
  expect(vmsAtOnce(NO_LIMIT, 100)).toBe(100);
});
