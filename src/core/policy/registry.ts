import { BootstormError, EXIT } from "../error.ts";
import {
  AIMD_FIELDS,
  aimdCap,
  DELAY_FIELDS,
  delayCap,
  GRADIENT_FIELDS,
  gradientCap,
} from "./adaptive-cap.ts";
import { BOOT_CAP_FIELDS, createBootCap, fixedCap } from "./boot-cap.ts";
import { createChain } from "./chain.ts";
import { createLazyAccept, LAZY_ACCEPT_FIELDS } from "./lazy-accept.ts";
import { createNone } from "./none.ts";
import {
  type Filled,
  fillOptions,
  type OptionFields,
  type OptionProblem,
  optionProblems,
} from "./option.ts";
import {
  type AskKind,
  type Policy,
  type PolicyOptions,
  type PolicySpec,
  PSC_DELAY_MAX_MS,
} from "./policy.ts";
import { boundPscDelay } from "./psc-bound.ts";
import { createPscQuota, PSC_QUOTA_FIELDS, quotaContradictions } from "./psc-quota.ts";
import { createPscRate, PSC_RATE_FIELDS } from "./psc-rate.ts";
import { WORK_FIELDS, workCap } from "./work-cap.ts";

/** A policy that can be named in a scenario or a configuration. */
export interface PolicyKind {
  readonly name: string;
  readonly title: string;
  readonly fields: OptionFields;
  /** What it may delay; it admits the others at once. */
  readonly delays: AskKind | "nothing";
  /** All problems of the options; none: `create` may be called. */
  problems(options: PolicyOptions): readonly OptionProblem[];
  /** Without the bound on the delay of a PSC: see `createPolicy`. */
  create(options: PolicyOptions): Policy;
}

function kind<F extends OptionFields>(
  name: string,
  title: string,
  delays: AskKind | "nothing",
  fields: F,
  build: (options: Filled<F>) => Policy,
  contradictions: (options: Filled<F>) => readonly OptionProblem[] = () => [],
): [string, PolicyKind] {
  const problems = (options: PolicyOptions) => {
    const found = optionProblems(fields, options);
    return found.length > 0 ? found : contradictions(fillOptions(fields, options));
  };
  const create = (options: PolicyOptions) => build(fillOptions(fields, options));
  return [name, { name, title, fields, delays, problems, create }];
}

function limitsInOrder(options: {
  readonly bootsMin: number;
  readonly bootsMax: number;
}): readonly OptionProblem[] {
  const { bootsMin, bootsMax } = options;
  if (bootsMin <= bootsMax) return [];
  return [
    { path: ["bootsMin"], problem: `${bootsMin} is too many, at most bootsMax (${bootsMax})` },
  ];
}

/** Every policy, by name. */
export const POLICIES: ReadonlyMap<string, PolicyKind> = new Map([
  kind("none", "nothing is held back", "nothing", {}, createNone),
  kind(
    "psc-rate",
    "token bucket on the pages of page state changes",
    "psc",
    PSC_RATE_FIELDS,
    createPscRate,
  ),
  kind(
    "psc-quota",
    "quotas host → tenant → VM on page state changes, with turns and borrowing",
    "psc",
    PSC_QUOTA_FIELDS,
    createPscQuota,
    quotaContradictions,
  ),
  kind("boot-cap", "so many boots at once", "boot", BOOT_CAP_FIELDS, (options) =>
    createBootCap("boot-cap", options.order, fixedCap(options.boots)),
  ),
  kind(
    "boot-cap-aimd",
    "cap that grows by one with each boot in time and shrinks with each late one",
    "boot",
    AIMD_FIELDS,
    (options) => createBootCap("boot-cap-aimd", options.order, aimdCap(options)),
    limitsInOrder,
  ),
  kind(
    "boot-cap-gradient",
    "cap that follows the ratio of usual to present boot time",
    "boot",
    GRADIENT_FIELDS,
    (options) => createBootCap("boot-cap-gradient", options.order, gradientCap(options)),
    limitsInOrder,
  ),
  kind(
    "boot-cap-delay",
    "cap that keeps the queue in front of the bottleneck short",
    "boot",
    DELAY_FIELDS,
    (options) => createBootCap("boot-cap-delay", options.order, delayCap(options)),
    limitsInOrder,
  ),
  kind(
    "boot-cap-work",
    "the smallest cap that gets as much done as any other, by CPU time per boot and idle CPUs",
    "boot",
    WORK_FIELDS,
    (options) => createBootCap("boot-cap-work", options.order, workCap(options)),
    limitsInOrder,
  ),
  kind(
    "lazy-accept",
    "guests accept most of their memory after they are ready",
    "nothing",
    LAZY_ACCEPT_FIELDS,
    createLazyAccept,
  ),
]);

/** Policies that steer by samples of lock waits; recording them for others is no use. */
export const STEER_BY_LOCK_WAIT: ReadonlySet<string> = new Set(["boot-cap-delay"]);

/** A problem of the i-th policy of a chain; its name is at ["name"], its options below ["options"]. */
export interface ChainProblem extends OptionProblem {
  readonly index: number;
}

export function policyProblems(specs: readonly PolicySpec[]): readonly ChainProblem[] {
  return specs.flatMap(({ name, options }, index): readonly ChainProblem[] => {
    const found = POLICIES.get(name);
    if (found === undefined) {
      const problem = `${JSON.stringify(name)} is none of ${[...POLICIES.keys()].join(", ")}`;
      return [{ index, path: ["name"], problem }];
    }
    return found
      .problems(options)
      .map(({ path, problem }) => ({ index, path: ["options", ...path], problem }));
  });
}

/**
 * The policy that these make together, in their order; none of them holds back nothing. PSCs are
 * let go after the shortest `pscDelayMaxMs` of all.
 * @throws BootstormError POLICY_OPTIONS with every problem
 */
export function createPolicy(specs: readonly PolicySpec[]): Policy {
  const problems = policyProblems(specs);
  if (problems.length > 0) throw badOptions(problems);
  const members = specs.map(({ name, options }) => POLICIES.get(name)!.create(options));
  const [only = createNone()] = members;
  const policy = members.length > 1 ? createChain(members) : only;
  const delayMaxMs = pscDelayMaxMs(specs);
  return delayMaxMs === undefined ? policy : boundPscDelay(policy, delayMaxMs * 1e6);
}

function pscDelayMaxMs(specs: readonly PolicySpec[]): number | undefined {
  const each = specs
    .filter(({ name }) => POLICIES.get(name)!.delays === "psc")
    .map(({ options }) => Number(options.pscDelayMaxMs ?? PSC_DELAY_MAX_MS));
  return each.length === 0 ? undefined : Math.min(...each);
}

function badOptions(problems: readonly ChainProblem[]): BootstormError {
  const lines = problems.map(
    ({ index, path, problem }) => `policy[${index}].${path.join(".")}: ${problem}`,
  );
  return new BootstormError("POLICY_OPTIONS", lines.join("\n  "), {
    why: "a policy cannot be made of this",
    exit: EXIT.usage,
  });
}
