import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { Ajv2020 } from "ajv/dist/2020.js";
import fc from "fast-check";
import { expect, test } from "vitest";
import { expectGenerated } from "../../../test/conformance/generated.ts";
import { parseScenarioText } from "../../host/store/scenario-file.ts";
import { BootstormError } from "../error.ts";
import {
  DEFAULT_GOVERN_CONFIG,
  governConfigJsonSchema,
  readGovernConfig,
} from "./govern-config.ts";
import { permitRequest, readRequest, releaseRequest, renewRequest } from "./govern-request.ts";

const fileOf = (path: string) => fileURLToPath(new URL(`../../../${path}`, import.meta.url));
const SCHEMA = fileOf("docs/schema/govern-config.schema.json");

const read = (text: string) => readGovernConfig(parseScenarioText("g.yaml", text));

const wrong: readonly [story: string, text: string, message: string][] = [
  ["a field nobody knows", "leases: {}\n", "g.yaml:1:1 leases: there is no such field"],
  [
    "a lease longer than the longest",
    "lease: { defaultMs: 5000, maxMs: 2000 }\n",
    "g.yaml:1:21 lease.defaultMs: 5000 is too many, at most 2000 (lease.maxMs)",
  ],
  [
    "a policy without a say",
    "policy: [{ name: psc-rate }]\n",
    "g.yaml:1:18 policy[0].name: psc-rate has no say in when a VM starts",
  ],
  [
    "an option of a policy out of range",
    "policy: [{ name: boot-cap, options: { boots: 0 } }]\n",
    "g.yaml:1:46 policy[0].options.boots: 0 is too few, at least 1",
  ],
  ["a listener without a token", "listen: { port: 80 }\n", "listen.tokenFile: is missing"],
  ["neither open nor closed", "whenUnavailable: maybe\n", "is none of open, closed"],
  ["no policy at all", "policy: []\n", "policy: 0 is too few, at least 1"],
  ["no record", "[]\n", "[] is not a record"],
];

test.each(wrong)("refused with place, field, value and limit: %s", (_story, text, message) => {
  expect(() => read(text)).toThrow(message);
});

test("an empty file is every default, and what was filled in is read again as it is", () => {
  expect(read("{}\n")).toEqual(DEFAULT_GOVERN_CONFIG);
  expect(read("# nothing\n")).toEqual(DEFAULT_GOVERN_CONFIG);
  expect(read(JSON.stringify(DEFAULT_GOVERN_CONFIG))).toEqual(DEFAULT_GOVERN_CONFIG);
});

test("whatever the file says, it is read or refused with a reason", () => {
  const keys = ["policy", "name", "options", "lease", "listen", "signals", "socket"];
  const document = fc.letrec((tie) => ({
    node: fc.oneof(
      { maxDepth: 4 },
      fc.constantFrom<unknown>(null, true, "", "boot-cap", 0, -1, 1e300, Number.NaN),
      fc.array(tie("node"), { maxLength: 3 }),
      fc.dictionary(fc.constantFrom(...keys), tie("node"), { maxKeys: 5 }),
    ),
  })).node;
  fc.assert(
    fc.property(document, (value) => {
      try {
        readGovernConfig({ file: "g.yaml", value, positions: new Map() });
      } catch (error) {
        if (!(error instanceof BootstormError)) throw error;
        expect(error.message).toContain("g.yaml:1:1");
      }
    }),
  );
});

test("whatever a request says, it is read or refused with a reason", () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      for (const schema of [permitRequest, renewRequest, releaseRequest]) {
        const { problems } = readRequest<unknown>(schema, value);
        if (problems !== undefined) expect(problems).not.toBe("");
      }
    }),
  );
});

test("the published JSON Schema is the one configurations are read with", () => {
  const text = `${JSON.stringify(governConfigJsonSchema(), null, 2)}\n`;
  if (process.env.UPDATE_GOLDEN === "1") writeFileSync(SCHEMA, text);
  expect(existsSync(SCHEMA), "UPDATE_GOLDEN=1 writes it").toBe(true);
  expect(readFileSync(SCHEMA, "utf8")).toBe(text);
});

test("the examples of docs/govern.md are configurations, and satisfy the published schema", () => {
  const docs = readFileSync(fileOf("docs/govern.md"), "utf8");
  const examples = [...docs.matchAll(/```yaml\n([\s\S]*?)```/g)].map(([, text]) => text!);
  expect(examples.length).toBeGreaterThan(0);
  const validate = new Ajv2020({ strict: false }).compile(JSON.parse(readFileSync(SCHEMA, "utf8")));
  for (const text of examples) {
    read(text);
    expect(validate(parseScenarioText("x", text).value), JSON.stringify(validate.errors)).toBe(
      true,
    );
  }
});

test("docs/govern.md lists every field with its default", () => {
  const rows = fieldRows(governConfigJsonSchema() as JsonSchema, "", []);
  const table = ["| field | default | allowed | meaning |", "|---|---|---|---|", ...rows];
  expectGenerated("docs/govern.md", `${table.join("\n")}\n`);
});

/** As much of JSON Schema as ours uses. */
interface JsonSchema {
  readonly type?: string;
  readonly enum?: readonly string[];
  readonly const?: string;
  readonly anyOf?: readonly JsonSchema[];
  readonly default?: unknown;
  readonly description?: string;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly required?: readonly string[];
  readonly properties?: Readonly<Record<string, JsonSchema>>;
}

function fieldRows(schema: JsonSchema, path: string, required: readonly string[]): string[] {
  if (path === "$schema") return [];
  if (schema.properties !== undefined) {
    return Object.entries(schema.properties).flatMap(([key, each]) =>
      fieldRows(each, path === "" ? key : `${path}.${key}`, schema.required ?? []),
    );
  }
  if (path === "policy") {
    const { name } = DEFAULT_GOVERN_CONFIG.policy[0]!;
    return [`| \`policy\` | ${name} | see [policies](policies.md) | ${schema.description} |`];
  }
  const { description = "" } = schema;
  const allowed = (schema.anyOf ?? [schema]).map(allowedOf).join(", ");
  const isRequired = required.includes(path.split(".").at(-1)!);
  const without = isRequired ? "needed" : "";
  return [`| \`${path}\` | ${schema.default ?? without} | ${allowed} | ${description} |`];
}

function allowedOf({ minimum, maximum, type, ...schema }: JsonSchema): string | undefined {
  const range = minimum === undefined ? type : `${minimum} to ${maximum}`;
  return schema.const ?? schema.enum?.join(", ") ?? range;
}
