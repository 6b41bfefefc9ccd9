import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { Ajv2020 } from "ajv/dist/2020.js";
import fc from "fast-check";
import { expect, test } from "vitest";
import { expectGenerated } from "../../../test/conformance/generated.ts";
import { parseScenarioText } from "../../host/store/scenario-file.ts";
import { BootstormError } from "../error.ts";
import { COST_KEYS, COST_TABLES } from "../kernel/cost/cost-table.ts";
import { DESIGN_BY_NAME } from "../kernel/design/index.ts";
import { createPolicy } from "../policy/registry.ts";
import { parsePath, pathText } from "./problem.ts";
import { checkScenario, readScenario, scenarioJsonSchema } from "./read.ts";

const NAMES = {
  designs: [...DESIGN_BY_NAME.keys()],
  costTables: [...COST_TABLES.keys()],
  costs: COST_KEYS,
};
const FOLDER = fileURLToPath(new URL("../../../scenarios/", import.meta.url));
const SCHEMA = fileURLToPath(new URL("../../../docs/schema/scenario.schema.json", import.meta.url));
const MINIMAL = "name: x\ntitle: t\n";

const read = (text: string) => readScenario(parseScenarioText("x.yaml", text), NAMES);

/** The message of what is wrong with the text. */
function wrong(text: string): string {
  try {
    read(text);
  } catch (error) {
    if (error instanceof BootstormError) return error.message;
    throw error;
  }
  throw new Error("nothing is wrong with it");
}

const cases: readonly [story: string, text: string, message: string][] = [
  ["zero CPUs", `${MINIMAL}host:\n  cpus: 0\n`, "x.yaml:4:9 host.cpus: 0 is too few, at least 1"],
  [
    "a negative rate",
    `${MINIMAL}arrivals: { kind: poisson, perSecond: -2 }\n`,
    "x.yaml:3:39 arrivals.perSecond: -2 is too few, more than 0",
  ],
  [
    "10¹² pages",
    `${MINIMAL}guests:\n  - memoryMiB: 3906250000\n`,
    "x.yaml:4:16 guests[0].memoryMiB: 3906250000 is too many, at most 67108864",
  ],
  [
    "more guest memory than the host has",
    `${MINIMAL}guests:\n  - { count: 100, memoryMiB: 65536 }\n`,
    "x.yaml:3:1 guests: 6553600 MiB of memory are too many, at most 1048576 (host.memoryGiB)",
  ],
  [
    "memory that abusers take counts too",
    `${MINIMAL}host: { memoryGiB: 1 }\nbackground: { abusers: { count: 2 } }\n`,
    "x.yaml:1:1 guests: 1152 MiB of memory are too many, at most 1024 (host.memoryGiB)",
  ],
  [
    "a field nobody knows, at its key",
    `${MINIMAL}host:\n  cpu: 8\n`,
    "x.yaml:4:8 host.cpu: there is no such field",
  ],
  [
    "a design nobody knows",
    `${MINIMAL}host: { design: linux-9 }\n`,
    'x.yaml:3:17 host.design: "linux-9" is none of',
  ],
  [
    "a cost nobody knows",
    `${MINIMAL}host: { costs: { ns: { rmpupdat: 5 } } }\n`,
    'x.yaml:3:34 host.costs.ns.rmpupdat: "rmpupdat" is none of',
  ],
  [
    "a word for a number",
    `${MINIMAL}host: { cpus: many }\n`,
    'x.yaml:3:15 host.cpus: "many" is not a number',
  ],
  [
    "half a CPU",
    `${MINIMAL}host: { cpus: 1.5 }\n`,
    "x.yaml:3:15 host.cpus: 1.5 is not a whole number",
  ],
  [
    "a choice that there is not",
    `${MINIMAL}host: { kernel: "5.4" }\n`,
    'x.yaml:3:17 host.kernel: "5.4" is none of 2022, 6.9+',
  ],
  [
    "threads of a core that there are not",
    `${MINIMAL}host: { smt: 4 }\n`,
    "x.yaml:3:14 host.smt: 4 is none of 1, 2",
  ],
  [
    "a kind that there is not",
    `${MINIMAL}arrivals: { kind: soon }\n`,
    'x.yaml:3:19 arrivals.kind: "soon" is none of together, ramp, rate, poisson',
  ],
  [
    "a policy that there is not",
    `${MINIMAL}policy: [{ name: luck }]\n`,
    'x.yaml:3:18 policy[0].name: "luck" is none of none, psc-rate',
  ],
  [
    "an option of a policy out of range",
    `${MINIMAL}policy:\n  - name: boot-cap\n    options: { boots: 0 }\n`,
    "x.yaml:5:23 policy[0].options.boots: 0 is too few, at least 1",
  ],
  [
    "options of a policy that contradict each other",
    `${MINIMAL}policy:\n  - name: boot-cap-aimd\n    options: { bootsMin: 9, bootsMax: 3 }\n`,
    "x.yaml:5:26 policy[0].options.bootsMin: 9 is too many, at most bootsMax (3)",
  ],
  ["nothing at all", "", "x.yaml:1:1 null is not a record"],
  ["no name", "title: t\n", "x.yaml:1:1 name: is missing"],
  [
    "CPUs that do not make whole sockets",
    `${MINIMAL}host: { cpus: 6 }\n`,
    "x.yaml:3:15 host.cpus: 6 is not a multiple of sockets × smt (4)",
  ],
  [
    "a direct map that does not add up",
    `${MINIMAL}host: { directMap: { share1g: 0.5 } }\n`,
    "x.yaml:3:9 host.directMap: the shares sum to 1.5, not to 1",
  ],
  [
    "two phases of one name",
    `${MINIMAL}guests:\n  - phases: [{ kind: run, name: a, ms: 1 }, { kind: run, name: a, ms: 1 }]\n`,
    'x.yaml:4:64 guests[0].phases[1].name: "a" is the name of another one too',
  ],
  [
    "a sweep over a field that there is not",
    `${MINIMAL}sweep: [{ path: "host.cpu", values: [1] }]\n`,
    'x.yaml:3:17 sweep[0].path: there is no field "host.cpu" in this scenario',
  ],
  [
    "a value of a sweep out of range",
    `${MINIMAL}sweep:\n  - path: host.cpus\n    values: [4, 0]\n`,
    "x.yaml:5:17 sweep[0].values[1]: host.cpus: 0 is too few, at least 1",
  ],
  [
    "a sweep that outgrows the host",
    `${MINIMAL}sweep: [{ path: "guests[0].count", values: [1, 2000] }]\n`,
    "x.yaml:3:48 sweep[0].values[1]: guests: 2048000 MiB of memory are too many",
  ],
  [
    "more points than anyone waits for",
    `${MINIMAL}sweep: [{ path: run.seed, from: 1, to: 3000, step: 1 }]\n`,
    "x.yaml:3:1 sweep: 2001 points are too many, at most 2000",
  ],
  ["text that is not YAML", "name: [x\n", "x.yaml:2:1 Flow sequence in block collection must be"],
];

test.each(cases)("refused with place, field, value and limit: %s", (_story, text, message) => {
  expect(wrong(text)).toContain(message);
});

test("every problem is reported at once, in the order of the file", () => {
  const text = `${MINIMAL}host:\n  cpus: 0\n  memoryGiB: 0\nrun:\n  seed: -1\n  grian: exact\n`;
  const lines = wrong(text)
    .split("\n")
    .map((line) => line.trim());
  expect(lines).toEqual([
    "x.yaml:4:9 host.cpus: 0 is too few, at least 1",
    "x.yaml:5:14 host.memoryGiB: 0 is too few, at least 1",
    "x.yaml:7:9 run.seed: -1 is too few, at least 0",
    "x.yaml:8:10 run.grian: there is no such field",
  ]);
});

test("a name and a title are enough; reading what was filled in again changes nothing", () => {
  const { scenario } = read(MINIMAL);
  const again = checkScenario(JSON.parse(JSON.stringify(scenario)), NAMES);
  expect(again.problems).toBeUndefined();
  expect(again).toMatchObject({ scenario });
});

test("JSON is read like YAML", () => {
  const json = JSON.stringify({ name: "x", title: "t", host: { cpus: 8, coresPerL3: 2 } });
  expect(read(json).scenario.host.cpus).toBe(8);
});

test("a sweep is the product of its axes, the last one fastest; each point is a whole scenario", () => {
  const text = `${MINIMAL}sweep:
  - { path: "guests[0].count", from: 1, to: 8, factor: 2 }
  - path: policy
    values: [[], [{ name: boot-cap, options: { boots: 2 } }]]
`;
  const { points } = read(text);
  expect(points.map(({ scenario }) => [scenario.guests[0]!.count, scenario.policy.length])).toEqual(
    [
      [1, 0],
      [1, 1],
      [2, 0],
      [2, 1],
      [4, 0],
      [4, 1],
      [8, 0],
      [8, 1],
    ],
  );
  expect(points[1]!.scenario.policy[0]!.options).toEqual({ boots: 2, order: "arrival" });
});

test("a cost that the table has can be swept though the scenario does not replace it", () => {
  const text = `${MINIMAL}sweep: [{ path: host.costs.ns.rmpupdate, values: [200, 3000] }]\n`;
  expect(read(text).points.map(({ scenario }) => scenario.host.costs.ns.rmpupdate)).toEqual([
    200, 3000,
  ]);
});

test("a path is its text and back", () => {
  const key = fc.stringMatching(/^[a-z][a-zA-Z0-9]*$/);
  const path = fc.tuple(key, fc.array(fc.oneof(key, fc.nat(99)))).map(([a, b]) => [a, ...b]);
  fc.assert(
    fc.property(path, (each) => {
      expect(parsePath(pathText(each))).toEqual(each);
    }),
  );
});

test("whatever the document is, it is read or refused with a reason, never thrown over", () => {
  const keys = ["name", "title", "host", "guests", "policy", "sweep", "run", "cpus", "values"];
  const document = fc.letrec((tie) => ({
    node: fc.oneof(
      { maxDepth: 4 },
      fc.constantFrom<unknown>(null, true, "", "x", 0, -1, 1e300, Number.NaN, 0.5),
      fc.array(tie("node"), { maxLength: 3 }),
      fc.dictionary(fc.constantFrom(...keys), tie("node"), { maxKeys: 5 }),
    ),
  })).node;
  fc.assert(
    fc.property(document, (value) => {
      const result = checkScenario(value, NAMES);
      if (result.problems !== undefined) expect(result.problems.length).toBeGreaterThan(0);
    }),
  );
});

test("the published JSON Schema is the one scenarios are read with", () => {
  const text = `${JSON.stringify(scenarioJsonSchema(), null, 2)}\n`;
  if (process.env.UPDATE_GOLDEN === "1") writeFileSync(SCHEMA, text);
  expect(existsSync(SCHEMA), "UPDATE_GOLDEN=1 writes it").toBe(true);
  expect(readFileSync(SCHEMA, "utf8")).toBe(text);
});

const shipped = existsSync(FOLDER)
  ? readdirSync(FOLDER).filter((file) => file.endsWith(".yaml"))
  : [];

test("the scenarios of the talk and its questions are there", () => {
  expect(shipped.sort()).toEqual(
    [
      "abusive-guest",
      "cap-crowding",
      "cap-free",
      "cap-knee",
      "cap-neighbours",
      "cap-psp",
      "cap-tiny",
      "cold-host-6.12",
      "fixes-ladder",
      "lazy-accept",
      "overcommit",
      "psc-limit",
      "severifast",
      "talk-concurrent",
      "talk-relative",
      "talk-rmpupdate-threads",
      "tiny",
    ].map((name) => `${name}.yaml`),
  );
});

test.each(shipped)("%s is read, makes its policies, and satisfies the published schema", (file) => {
  const text = readFileSync(FOLDER + file, "utf8");
  const document = parseScenarioText(file, text);
  const { scenario, points } = readScenario(document, NAMES);
  expect(`${scenario.name}.yaml`).toBe(file);
  expect(points.length).toBeGreaterThan(1);
  for (const point of points) createPolicy(point.scenario.policy);
  const validate = new Ajv2020({ strict: false }).compile(JSON.parse(readFileSync(SCHEMA, "utf8")));
  expect(validate(document.value), JSON.stringify(validate.errors)).toBe(true);
  expect(text, "says in a comment what it shows and where that is from").toMatch(/^# /);
  expect(text).toMatch(/^# Source: /m);
});

test("the example of docs/scenarios.md is a scenario", () => {
  const docs = readFileSync(
    fileURLToPath(new URL("../../../docs/scenarios.md", import.meta.url)),
    "utf8",
  );
  const [, example] = /```yaml\n([\s\S]*?)```/.exec(docs) ?? [];
  expect(read(example!).points.length).toBe(14);
});

test("docs/scenarios.md lists every field with its default", () => {
  const rows = fieldRows(scenarioJsonSchema() as JsonSchema, "");
  const table = ["| field | default | allowed | meaning |", "|---|---|---|---|", ...rows];
  expectGenerated("docs/scenarios.md", `${table.join("\n")}\n`);
});

/** As much of JSON Schema as ours uses. */
interface JsonSchema {
  readonly type?: string;
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly default?: unknown;
  readonly description?: string;
  readonly minimum?: number;
  readonly exclusiveMinimum?: number;
  readonly maximum?: number;
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly items?: JsonSchema;
  readonly oneOf?: readonly JsonSchema[];
  readonly anyOf?: readonly JsonSchema[];
}

function fieldRows(schema: JsonSchema, path: string): string[] {
  if (path === "$schema" || path === "policy") return [];
  if (schema.properties !== undefined) {
    return Object.entries(schema.properties).flatMap(([key, each]) =>
      fieldRows(each, path === "" ? key : `${path}.${key}`),
    );
  }
  if (schema.items?.properties !== undefined) return fieldRows(schema.items, `${path}[]`);
  const list = schema.items?.oneOf;
  const variants = schema.oneOf ?? list;
  if (variants === undefined) {
    return [fieldRow(path, schema.default, allowedOf(schema), schema.description ?? "")];
  }
  const name = list === undefined ? path : `${path}[]`;
  return variants.map((each) => {
    const { kind, ...fields } = each.properties!;
    const of = Object.keys(fields).map((key) => `\`${key}\``);
    const meaning = [each.description, of.length === 0 ? undefined : `fields: ${of.join(", ")}`];
    const isDefault = JSON.stringify(schema.default ?? "").includes(`"kind":"${kind!.const}"`);
    const text = meaning.filter((part) => part !== undefined).join("; ");
    return fieldRow(`${name}.kind`, isDefault ? kind!.const : undefined, `${kind!.const}`, text);
  });
}

function fieldRow(path: string, byDefault: unknown, allowed: string, title: string): string {
  const shown =
    byDefault === undefined
      ? ""
      : typeof byDefault === "object"
        ? JSON.stringify(byDefault)
        : String(byDefault);
  return `| \`${path}\` | ${shown} | ${allowed} | ${title} |`;
}

function allowedOf(schema: JsonSchema): string {
  const values = schema.enum ?? schema.anyOf?.flatMap((each) => each.const ?? []);
  if (values !== undefined && values.length > 0) return values.join(", ");
  const { minimum, exclusiveMinimum, maximum, type } = schema;
  if (exclusiveMinimum !== undefined) {
    return maximum === undefined || maximum > 1e12
      ? `more than ${exclusiveMinimum}`
      : `more than ${exclusiveMinimum}, up to ${maximum}`;
  }
  if (minimum !== undefined && maximum !== undefined) return `${minimum} to ${maximum}`;
  return type === "string" ? "text" : type === "object" ? "name: number" : (type ?? "list");
}
