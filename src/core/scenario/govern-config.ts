import { z } from "zod";
import type { PolicySpec } from "../policy/policy.ts";
import { POLICIES, policyProblems } from "../policy/registry.ts";
import { problemsOfIssue } from "./issue.ts";
import { type ScenarioProblem, scenarioError } from "./problem.ts";
import type { ScenarioDocument } from "./read.ts";
import { policySpecs } from "./schema.ts";

// The one place of the governor's defaults and limits. The published JSON Schema
// (docs/schema/govern-config.schema.json) and the table of docs/govern.md are made of it.

const count = (min: number, max: number) => z.int().min(min).max(max);
const path = () => z.string().min(1).max(4096);
const ms = (min: number, max: number) => count(min, max);

/** It needs to know nothing beforehand. */
const DEFAULT_POLICY = [{ name: "boot-cap-work" as const, options: {} }];

const listen = z
  .strictObject({
    host: z.string().min(1).max(255).default("127.0.0.1").describe("address to listen on"),
    port: count(1, 65_535).describe("TCP port"),
    tokenFile: path().describe("file of mode 0600 with the token that clients must bring"),
  })
  .describe("a TCP listener beside the socket; none without it");

const lease = z.strictObject({
  defaultMs: ms(100, 86_400_000).default(30_000).describe("lease of who asks for none"),
  maxMs: ms(100, 86_400_000).default(600_000).describe("longest lease; longer ones are cut to it"),
});

const signals = z.strictObject({
  everyMs: ms(50, 60_000)
    .default(200)
    .describe("how often the CPUs are looked at, while boots are in service or wait"),
  lockWait: z
    .enum(["auto", "on", "off"])
    .default("auto")
    .describe(
      "share of the time of boots in service spent waiting for kernel locks, recorded in windows where root may; auto: if a policy steers by it",
    ),
  cpuPressure: z
    .enum(["auto", "off"])
    .default("auto")
    .describe(
      "share of time in which tasks wait for a CPU (PSI), where the kernel tells: shown, nothing steers by it",
    ),
});

const weight = z.strictObject({
  boots: z
    .union([z.literal("auto"), count(1, 100)])
    .default("auto")
    .describe(
      "weight of a boot in service that has named its holder, against other groups of processes: so many times as much CPU time where both want it; 1: as everybody; auto: those in service together as all would have without a limit",
    ),
});

const quota = z.strictObject({
  mode: z
    .enum(["dry-run", "enforce"])
    .default("dry-run")
    .describe("say who would be slowed, or do it"),
  systemCpus: z
    .number()
    .min(0.001)
    .max(4096)
    .optional()
    .describe("CPU time in kernel mode that a running guest may use, in CPUs; without it no quota"),
  groups: z
    .array(path())
    .max(100)
    .default([])
    .describe(
      "groups of processes that have this quota too: paths from the cgroup mount on, * for any part of a name",
    ),
  means: z
    .array(z.enum(["freeze", "limit"]))
    .min(1)
    .max(2)
    .default(["freeze", "limit"])
    .describe(
      "how to slow, the first that this host has: pauses of 80 ms at most, or less CPU time",
    ),
  runShareMin: z
    .number()
    .min(0.05)
    .max(1)
    .default(0.05)
    .describe("share of the time that even the worst may run"),
});

export const governConfigSchema = z
  .strictObject({
    $schema: z.string().optional(),
    socket: path().optional().describe("Unix socket; default: govern.sock in the run folder"),
    listen: listen.optional(),
    policy: policySpecs
      .min(1)
      .prefault(DEFAULT_POLICY)
      .describe("who may start, and when; asks pass them in this order"),
    lease: lease.prefault({}),
    queueMax: count(1, 1_000_000).default(20_000).describe("launchers that may wait"),
    stateFolder: path().optional().describe("where the journal is; default: the run folder"),
    journalMiBMax: count(1, 1024)
      .default(4)
      .describe("a journal that has grown by this much is rewritten as a snapshot"),
    signals: signals.prefault({}),
    weight: weight.prefault({}),
    quota: quota.prefault({}),
    whenUnavailable: z
      .enum(["open", "closed"])
      .default("closed")
      .describe("what launchers do when they get no decision: start all the same, or do not"),
  })
  .meta({
    title: "Configuration of bootstorm govern",
    description: "Every field has a default. Units are in the names.",
  });

type GovernFile = z.output<typeof governConfigSchema>;

/** A configuration with every default filled in. */
export type GovernConfig = Omit<GovernFile, "$schema" | "policy"> & {
  readonly policy: readonly PolicySpec[];
};

/**
 * @throws BootstormError SCENARIO_WRONG with every problem: file, line, column, field, value, limit
 */
export function readGovernConfig(document: ScenarioDocument): GovernConfig {
  const parsed = governConfigSchema.safeParse(document.value ?? {});
  const problems = parsed.success
    ? fieldProblems(parsed.data)
    : parsed.error.issues.flatMap((issue) => problemsOfIssue(issue, document.value));
  if (!parsed.success || problems.length > 0) {
    throw scenarioError(document.file, problems, document.positions);
  }
  const { $schema: _, ...config } = parsed.data;
  return config;
}

/** What is run where nobody has written a file. */
export const DEFAULT_GOVERN_CONFIG: GovernConfig = governConfigSchema.parse({});

/** The JSON Schema of configuration files, for editors. */
export function governConfigJsonSchema(): unknown {
  return z.toJSONSchema(governConfigSchema, { io: "input" });
}

/** What no single field shows. */
function fieldProblems({ lease, policy }: GovernFile): readonly ScenarioProblem[] {
  const { defaultMs, maxMs } = lease;
  const tooLong = `${defaultMs} is too many, at most ${maxMs} (lease.maxMs)`;
  return [
    ...(defaultMs > maxMs ? [{ path: ["lease", "defaultMs"], problem: tooLong }] : []),
    ...policyProblems(policy).map(({ index, path, problem }) => ({
      path: ["policy", index, ...path],
      problem,
    })),
    ...policy.flatMap(({ name }, index) => idleProblem(name, index)),
  ];
}

/** Page state changes do not pass the governor, and what guests accept is not its to say. */
function idleProblem(name: string, index: number): readonly ScenarioProblem[] {
  if (name === "none" || POLICIES.get(name)?.delays === "boot") return [];
  return [{ path: ["policy", index, "name"], problem: `${name} has no say in when a VM starts` }];
}
