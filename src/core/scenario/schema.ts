import { z } from "zod";
import type { OptionFields, ScalarField } from "../policy/option.ts";
import type { OptionValue } from "../policy/policy.ts";
import { POLICIES } from "../policy/registry.ts";
import { machineProfile } from "./machine.ts";

// The one place of a scenario's defaults and limits. The published JSON Schema
// (docs/schema/scenario.schema.json) and the tables of docs/scenarios.md are made of it. Sources
// of numbers: docs/scenarios.md.

const count = (min: number, max: number) => z.int().min(min).max(max);
const amount = (min: number, max: number) => z.number().min(min).max(max);
const rate = () => z.number().positive().max(1e6);
const label = () => z.string().min(1).max(80);

/** 64 TiB: more than any host of today, and fewer pages than would take days to simulate. */
const HOST_GIB_MAX = 65_536;

const directMap = z.strictObject({
  state: z
    .enum(["cold", "warm"])
    .default("cold")
    .describe("warm: earlier guests have left 4 KiB entries wherever guests live"),
  share1g: amount(0, 1).default(0).describe("cold: share of memory mapped by 1 GiB entries"),
  share2m: amount(0, 1).default(1).describe("cold: share of memory mapped by 2 MiB entries"),
  share4k: amount(0, 1).default(0).describe("cold: share of memory mapped by 4 KiB entries"),
});

const costs = z.strictObject({
  table: label().default("epyc-milan").describe("a cost table, or the file of a calibration"),
  ns: z
    .record(z.string().min(1), amount(0, 1e12))
    .default({})
    .describe("replaces single costs of the table, in ns"),
});

const psp = z.strictObject({
  updateMs: amount(0, 1000).default(1.003).describe("SNP_LAUNCH_UPDATE of one 4 KiB page"),
  firstUpdateMs: amount(0, 1000).default(0.64).describe("what the first update costs more"),
  fixedMs: amount(0, 10_000).default(25).describe("create, start, activate, finish of one VM"),
});

const host = z.strictObject({
  cpus: count(1, 4096).default(256).describe("logical CPUs: sockets × cores × smt"),
  sockets: count(1, 16).default(2),
  coresPerL3: count(1, 256).default(8).describe("cores that share an L3"),
  smt: z
    .union([z.literal(1), z.literal(2)])
    .default(2)
    .describe("hardware threads of a core"),
  memoryGiB: count(1, HOST_GIB_MAX).default(1024),
  kernel: z
    .enum(["2022", "6.9+"])
    .default("2022")
    .describe("2022: every 4 KiB page unmapped and mapped again; 6.9+: split once"),
  design: label().default("linux-4.20").describe("a lock design of the kernel model"),
  directMap: directMap.prefault({}),
  placement: z
    .enum(["contiguous", "scattered"])
    .default("contiguous")
    .describe("guest memory in 2 MiB runs, or in single pages of many 2 MiB regions"),
  flush: z
    .enum(["ipi", "broadcast"])
    .default("ipi")
    .describe("TLB flush: an IPI to each CPU, or INVLPGB"),
  costs: costs.prefault({}),
  psp: psp.prefault({}),
  workPerBoot: amount(0, 1)
    .default(0)
    .describe("each further boot in service lengthens the work of all by this share"),
});

const name = label().describe("name of the phase in results");
const phase = z.discriminatedUnion("kind", [
  z
    .strictObject({ kind: z.literal("launch"), name: name.default("launch") })
    .describe("the VMM and the PSP: create, update the firmware's pages, finish"),
  z
    .strictObject({ kind: z.literal("run"), name, ms: amount(0, 3_600_000) })
    .describe("one vCPU works"),
  z
    .strictObject({ kind: z.literal("accept"), name: name.default("accept") })
    .describe("the guest accepts its memory: all, or what lazy acceptance needs"),
  z
    .strictObject({ kind: z.literal("wait"), name, ms: amount(0, 3_600_000) })
    .describe("a device or a timer is waited for"),
]);

const tenant = () => count(0, 1_000_000).default(0);
const pageSize = () => z.enum(["4k", "2m"]).default("4k");
const pscEntries = () =>
  count(1, 253).default(64).describe("entries of one page state change: 1 (MSR protocol) to 253");

const guests = z.strictObject({
  name: label().default("vm"),
  count: count(1, 16_384).default(1),
  tenant: tenant(),
  vcpus: count(1, 1024).default(1),
  memoryMiB: count(2, HOST_GIB_MAX * 1024).default(1024),
  firmwareMiB: count(0, 1024).default(4).describe("updated page by page by the PSP"),
  launchExtraPages: count(0, 65_536)
    .default(31)
    .describe("other pages the PSP updates: VMSA, CPUID, secrets, metadata"),
  kernelMiB: count(0, 65_536).default(32).describe("kernel and initrd as loaded"),
  acceptance: z.enum(["eager", "lazy"]).default("eager"),
  lazyShare: amount(0, 1).default(0.1).describe("lazy: accepted before ready, share of memory"),
  lazyMinMiB: count(0, 1_048_576).default(512).describe("lazy: accepted before ready, at least"),
  acceptVcpus: count(1, 1024).default(1).describe("vCPUs that accept side by side"),
  pageSize: pageSize().describe("of RMP entries and guest_memfd"),
  pscEntries: pscEntries(),
  phases: z
    .array(phase)
    .min(1)
    .max(64)
    .default([
      { kind: "launch", name: "launch" },
      { kind: "run", name: "firmware", ms: 1140 },
      { kind: "accept", name: "accept" },
      { kind: "run", name: "kernel", ms: 1470 },
      { kind: "run", name: "userspace", ms: 910 },
    ])
    .describe("in this order, up to userspace ready"),
  machine: machineProfile.optional(),
});

const arrivals = z.discriminatedUnion("kind", [
  z.strictObject({ kind: z.literal("together") }).describe("all at once"),
  z
    .strictObject({ kind: z.literal("ramp"), overMs: amount(0, 86_400_000) })
    .describe("evenly spaced, the last one after overMs"),
  z.strictObject({ kind: z.literal("rate"), perSecond: rate() }).describe("evenly spaced"),
  z.strictObject({ kind: z.literal("poisson"), perSecond: rate() }).describe("at random"),
]);

const abusers = z.strictObject({
  count: count(0, 1024).default(0),
  vcpus: count(1, 1024).default(1),
  tenant: tenant(),
  pscEntries: pscEntries(),
  pageSize: pageSize(),
  memoryMiB: count(2, HOST_GIB_MAX * 1024)
    .default(64)
    .describe("the memory each flips"),
});

const background = z.strictObject({
  rmpupdateThreads: count(0, 4096).default(0).describe("host threads that call rmpupdate()"),
  rmpupdateThinkUs: amount(0, 1e6).default(0).describe("what each does between two calls"),
  cpuBurners: count(0, 4096).default(0).describe("host threads that only burn their CPU"),
  cpuBurnerWeight: amount(0.001, 1000)
    .default(1)
    .describe("scheduling weight of each, that of a boot being 1"),
  abusers: abusers.prefault({}),
});

const replications = z.discriminatedUnion("kind", [
  z.strictObject({ kind: z.literal("count"), count: count(1, 10_000) }),
  z
    .strictObject({
      kind: z.literal("width"),
      relativeWidth: amount(0.0001, 0.5).default(0.01),
      min: count(2, 10_000).default(5),
      max: count(2, 10_000).default(200),
    })
    .describe("until the 95 % interval of the mean boot time is this narrow"),
]);

const run = z.strictObject({
  seed: count(0, 0xffff_ffff).default(1),
  grain: z
    .enum(["exact", "sections", "aggregated"])
    .default("aggregated")
    .describe("instruction by instruction, lock to lock, or many page operations at once"),
  replications: replications.prefault({ kind: "count", count: 5 }),
  spread: z
    .enum(["none", "exponential"])
    .default("none")
    .describe("of lock holds and of the work between them"),
  phaseSpread: amount(0, 2)
    .default(0.05)
    .describe("coefficient of variation of run and wait phases, log-normal"),
});

const chart = z.strictObject({
  unit: z
    .enum(["s", "percent"])
    .default("s")
    .describe("of boot times; percent: of the first point of each line"),
  scale: z
    .enum(["auto", "log"])
    .default("auto")
    .describe("of boot times; auto: logarithmic where they spread over a factor of 8"),
});

export const policySpecs = z.array(
  z.discriminatedUnion(
    "name",
    inUnion(
      [...POLICIES.values()].map(({ name, title, fields }) =>
        z
          .strictObject({ name: z.literal(name), options: optionsSchema(fields).prefault({}) })
          .describe(title),
      ),
    ),
  ),
);

const sweepAxis = z.strictObject({
  path: z
    .string()
    .min(1)
    .describe("a field of this scenario: guests[0].count, host.design, policy"),
  values: z
    .array(z.union([z.number(), z.string(), z.boolean(), policySpecs]))
    .min(1)
    .max(1000)
    .optional()
    .describe("these values; for the path policy a list of policies each"),
  from: z.number().optional(),
  to: z.number().optional().describe("the last value at most"),
  step: z.number().positive().optional().describe("from, from + step, …"),
  factor: z.number().min(1.001).optional().describe("from, from · factor, …"),
});

/** A scenario file. Reading one fills in the defaults; `read.ts` then checks field against field. */
export const scenarioSchema = z
  .strictObject({
    $schema: z.string().optional(),
    name: label(),
    title: z.string().min(1).max(200),
    host: host.prefault({}),
    guests: z.array(guests).min(1).max(256).prefault([{}]),
    arrivals: arrivals.prefault({ kind: "together" }),
    background: background.prefault({}),
    policy: policySpecs.default([]).describe("asks pass them in this order"),
    run: run.prefault({}),
    chart: chart.prefault({}),
    sweep: z.array(sweepAxis).max(8).default([]).describe("the product of all axes is run"),
  })
  .meta({
    title: "A storm for bootstorm to simulate",
    description: "Every field has a default but name and title. Units are in the names.",
  });

export type ScenarioFile = z.output<typeof scenarioSchema>;
export type SweepFile = ScenarioFile["sweep"][number];

function optionsSchema(fields: OptionFields) {
  const shape: Record<string, z.ZodType<OptionValue>> = {};
  for (const [key, field] of Object.entries(fields)) {
    shape[key] =
      field.type === "rows"
        ? z
            .array(z.strictObject(mapValues(field.fields, scalarSchema)))
            .max(field.rowsMax)
            .default([])
            .describe(field.title)
        : scalarSchema(field);
  }
  return z.strictObject(shape);
}

function mapValues<T, U>(
  record: Readonly<Record<string, T>>,
  f: (value: T) => U,
): Record<string, U> {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [key, f(value)]));
}

function scalarSchema(field: ScalarField): z.ZodType<number | string | boolean> {
  switch (field.type) {
    case "integer":
      return count(field.min, field.max).default(field.default).describe(field.title);
    case "number":
      return amount(field.min, field.max).default(field.default).describe(field.title);
    case "choice":
      return z.enum(field.of).default(field.default).describe(field.title);
    case "yes-no":
      return z.boolean().default(field.default).describe(field.title);
  }
}

/** A union has at least one member, says its type. */
function inUnion<T>(members: readonly T[]): [T, ...T[]] {
  return members as [T, ...T[]];
}
