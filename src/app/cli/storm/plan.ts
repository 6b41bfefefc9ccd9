import type { PolicySpec } from "../../../core/policy/policy.ts";
import { POLICIES } from "../../../core/policy/registry.ts";
import { randomFrom, shuffled } from "../../../core/random.ts";

/** A rule of admission: a word for people and the policies it stands for. */
export interface Limit {
  readonly name: string;
  readonly policy: readonly PolicySpec[];
}

export interface StormPlan {
  /** Numbers of VMs started together. */
  readonly vms: readonly number[];
  readonly limits: readonly Limit[];
  readonly kinds: readonly BootKind[];
  readonly repetitions: number;
  readonly warmUps: number;
  /** One more round of each combination with call stacks recorded: slower, for names only. */
  readonly witness: boolean;
  readonly seed: number;
}

/** Confidential VMs, or the same VMs without confidentiality as control. */
export type BootKind = "confidential" | "plain";

export interface RoundAsk {
  readonly vms: number;
  readonly limit: Limit;
  readonly kind: BootKind;
  readonly repetition: number;
  readonly role: "warm-up" | "measured" | "recorded";
}

export const NO_LIMIT: Limit = { name: "none", policy: [] };

/** `none`, a number of boots at once, or the name of a policy with its defaults. */
export function limitOf(word: string): Limit | undefined {
  if (word === "none") return NO_LIMIT;
  if (/^[1-9]\d{0,4}$/.test(word)) {
    return { name: word, policy: [{ name: "boot-cap", options: { boots: Number(word) } }] };
  }
  return POLICIES.has(word) ? { name: word, policy: [{ name: word, options: {} }] } : undefined;
}

/**
 * Warm-up rounds first, then every combination once a repetition in random order, so that whatever
 * changes slowly on the host meets all of them alike; rounds with stacks last.
 */
export function planRounds(plan: StormPlan): RoundAsk[] {
  const random = randomFrom(plan.seed);
  const combinations = plan.vms.flatMap((vms) =>
    plan.kinds.flatMap((kind) => plan.limits.map((limit) => ({ vms, limit, kind }))),
  );
  const block = (role: RoundAsk["role"], repetition: number) =>
    shuffled(
      combinations.map((each) => ({ ...each, repetition, role })),
      random,
    );
  const most = combinations.filter(({ vms }) => vms === Math.max(...plan.vms)).slice(0, 1);
  return [
    ...Array.from({ length: plan.warmUps }, (_, repetition) =>
      most.map((each) => ({ ...each, repetition, role: "warm-up" as const })),
    ).flat(),
    ...Array.from({ length: plan.repetitions }, (_, r) => block("measured", r)).flat(),
    ...(plan.witness ? block("recorded", 0) : []),
  ];
}
