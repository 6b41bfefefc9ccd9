import { BootstormError, EXIT } from "../../../core/error.ts";
import type { PolicySpec } from "../../../core/policy/policy.ts";
import { POLICIES } from "../../../core/policy/registry.ts";
import { randomFrom, shuffled } from "../../../core/random.ts";
import { DEFAULT_GOVERN_CONFIG } from "../../../core/scenario/govern-config.ts";

/** Of a round: what the format of rounds can hold, too. */
export const VMS_MAX = 16_384;

/** A rule of admission: a word for people and the policies it stands for. */
export interface Limit {
  readonly name: string;
  readonly policy: readonly PolicySpec[];
  /** A daemon of `govern` decides: on this socket, else a fresh one of our own for each round. */
  readonly governor?: { readonly socket?: string };
}

export interface StormPlan {
  /** Numbers of VMs started together. */
  readonly vms: readonly number[];
  readonly limits: readonly Limit[];
  readonly kinds: readonly BootKind[];
  /** Numbers of direct-map pressure processes beside. */
  readonly pressures: readonly number[];
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
  readonly pressure: number;
  readonly repetition: number;
  readonly role: "warm-up" | "measured" | "recorded";
}

export const NO_LIMIT: Limit = { name: "none", policy: [] };

/** A daemon of our own, which has every default. */
export const GOVERN_LIMIT: Limit = {
  name: "govern",
  policy: DEFAULT_GOVERN_CONFIG.policy,
  governor: {},
};

/** Policies that hold back boots: only these can do anything to a VM that is started. */
export const BOOT_POLICIES: readonly string[] = [...POLICIES.values()]
  .filter(({ delays }) => delays === "boot")
  .map(({ name }) => name);

/** `none`, a number of boots at once, `govern`, or the name of a policy for boots with its defaults. */
export function limitOf(word: string): Limit | undefined {
  if (word === NO_LIMIT.name) return NO_LIMIT;
  if (word === GOVERN_LIMIT.name) return GOVERN_LIMIT;
  if (/^[1-9]\d{0,4}$/.test(word)) {
    return { name: word, policy: [{ name: "boot-cap", options: { boots: Number(word) } }] };
  }
  return BOOT_POLICIES.includes(word)
    ? { name: word, policy: [{ name: word, options: {} }] }
    : undefined;
}

/**
 * The policy of a scenario that has one is the rule of its storm.
 * @throws BootstormError NOT_FOR_BOOTS where it would hold back something else
 */
export function scenarioLimit(policy: readonly PolicySpec[]): Limit {
  const rules = policy.filter(({ name }) => name !== NO_LIMIT.name);
  const others = rules.filter(({ name }) => !BOOT_POLICIES.includes(name));
  if (others.length === 0) {
    return rules.length === 0 ? NO_LIMIT : { name: "scenario", policy: rules };
  }
  throw new BootstormError(
    "NOT_FOR_BOOTS",
    `policy ${others.map(({ name }) => name).join(", ")}: nothing here obeys it`,
    {
      why: "it is about what guests do once they run, and a storm says when real VMs start, no more",
      remedies: [
        "--limit none, or another limit, replaces the scenario's policy",
        "bootstorm simulate runs all policies",
      ],
      exit: EXIT.usage,
    },
  );
}

/** How many of so many VMs a limit lets exist at once, where a VM that is ready is ended. */
export function vmsAtOnce({ policy }: Limit, vms: number): number {
  const caps = policy.flatMap(({ options: { boots } }) => (typeof boots === "number" ? boots : []));
  return Math.min(vms, ...caps);
}

/**
 * Warm-up rounds first, then every combination once a repetition in random order, so that whatever
 * changes slowly on the host meets all of them alike; rounds with stacks last.
 */
export function planRounds(plan: StormPlan): RoundAsk[] {
  const random = randomFrom(plan.seed);
  const combinations = plan.vms.flatMap((vms) =>
    plan.kinds.flatMap((kind) =>
      plan.pressures.flatMap((pressure) =>
        plan.limits.map((limit) => ({ vms, limit, kind, pressure })),
      ),
    ),
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
