import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import fc from "fast-check";
import { expect, test } from "vitest";
import { z } from "zod";
import { expectGenerated } from "../../../test/conformance/generated.ts";
import { parseScenarioText } from "../../host/store/scenario-file.ts";
import { DEFAULT_MACHINE, fillPlaceholders, machineProfile, PLACEHOLDERS } from "./machine.ts";
import { pathText } from "./problem.ts";
import { checkScenario } from "./read.ts";

const NAMES = { designs: ["linux-4.20"], costTables: ["epyc-milan"], costs: [] };

/** What is wrong with a profile, in the order it was found. */
function wrong(machine: unknown): string[] {
  const result = checkScenario({ name: "x", title: "t", guests: [{ machine }] }, NAMES);
  return (result.problems ?? []).map(({ path, problem }) => `${pathText(path)}: ${problem}`);
}

const AT = "guests[0].machine";
const SNP = { kind: "snp", firmware: "/usr/share/ovmf/OVMF.amdsev.fd" };
const base64 = (bytes: number) => Buffer.alloc(bytes, 7).toString("base64");

test("without a profile a scenario has none; the one that is booted then is tiny, by default", () => {
  const result = checkScenario({ name: "x", title: "t" }, NAMES);
  if (result.problems !== undefined) throw new Error("refused");
  expect(result.scenario.guests[0]!.machine).toBeUndefined();
  expect(DEFAULT_MACHINE).toEqual({
    kind: "tiny",
    append: "",
    machine: "microvm",
    accelerator: "auto",
    extraArgs: [],
    readyTimeoutS: 60,
  });
});

test("a word of the command may say what is particular to a VM; a shell's variables stay", () => {
  const values = { name: "vm", index: "7", dir: "/d", memoryMiB: "64", vcpus: "2", cpus: "0-3" };
  const shellVariable = "$".concat("{name}");
  expect(fillPlaceholders(`{name}-{index}:{dir}/$HOME/${shellVariable}{{index}}`, values)).toBe(
    `vm-7:/d/$HOME/${shellVariable}{7}`,
  );
  expect(fillPlaceholders('{"memory": {memoryMiB}, "cpus": "{cpus}"}', values)).toBe(
    '{"memory": 64, "cpus": "0-3"}',
  );
});

test("what is filled in is never read again", () => {
  fc.assert(
    fc.property(fc.string(), fc.constantFrom(...PLACEHOLDERS), (value, name) => {
      const values = Object.fromEntries(PLACEHOLDERS.map((each) => [each, value]));
      const filled = fillPlaceholders(
        `<{${name}}>`,
        values as Parameters<typeof fillPlaceholders>[1],
      );
      expect(filled).toBe(`<${value}>`);
    }),
  );
});

const refused: readonly [story: string, machine: unknown, problems: string[]][] = [
  [
    "a kind nobody knows",
    { kind: "vmware" },
    [`${AT}.kind: "vmware" is none of tiny, snp, command`],
  ],
  [
    "all at once, each with its place",
    { kind: "tiny", kernel: "", machine: "virt", readyTimeoutS: 0, disk: "a\0b", cpus: 1 },
    [
      `${AT}.kernel: there is nothing`,
      `${AT}.machine: "virt" is none of microvm, pc, q35`,
      `${AT}.disk: holds a NUL character`,
      `${AT}.readyTimeoutS: 0 is too few, more than 0`,
      `${AT}.cpus: there is no such field`,
    ],
  ],
  [
    "a second line for the kernel's command line",
    { kind: "tiny", append: "a\nb" },
    [`${AT}.append: holds a control character`],
  ],
  [
    "more arguments than anybody types",
    { kind: "tiny", extraArgs: Array.from({ length: 65 }, () => "-x") },
    [`${AT}.extraArgs: 65 is too many, at most 64`],
  ],
  ["SNP without firmware", { kind: "snp" }, [`${AT}.firmware: is missing`]],
  [
    "a policy that no firmware takes",
    { ...SNP, policy: 0x10000 },
    [`${AT}.policy: bit 17 (0x20000) must be 1`],
  ],
  [
    "host data of another size",
    { ...SNP, hostData: base64(31) },
    [`${AT}.hostData: is not base64 of 32 bytes`],
  ],
  [
    "an ID block without its signature",
    { ...SNP, idBlock: base64(96) },
    [`${AT}.idBlock: idBlock and idAuth need each other`],
  ],
  [
    "a placeholder nobody fills",
    { kind: "command", command: ["vmm", "--id={id}"], readyText: "login:" },
    [`${AT}.command[1]: {id} is none of {name}, {index}, {dir}, {memoryMiB}, {vcpus}, {cpus}`],
  ],
  [
    "a command without a program",
    { kind: "command", command: [""], readyText: "" },
    [`${AT}.command[0]: there is nothing`, `${AT}.readyText: there is nothing`],
  ],
];

test.each(refused)("refused: %s", (_, machine, problems) => {
  expect(wrong(machine).sort()).toEqual(problems.sort());
});

test("every field in use at once is taken as it is", () => {
  const all = {
    ...SNP,
    cbitpos: 51,
    reducedPhysBits: 1,
    idBlock: base64(96),
    idAuth: base64(4096),
    authorKey: true,
    hostData: base64(32),
    guestVisibleWorkarounds: base64(16),
  };
  const result = checkScenario({ name: "x", title: "t", guests: [{ machine: all }] }, NAMES);
  if (result.problems !== undefined) throw new Error(JSON.stringify(result.problems));
  expect(result.scenario.guests[0]!.machine).toMatchObject({ ...all, policy: 0x30000 });
});

test("the examples of docs/machines.md are scenarios", () => {
  const docs = fileURLToPath(new URL("../../../docs/machines.md", import.meta.url));
  const examples = [...readFileSync(docs, "utf8").matchAll(/```yaml\n([\s\S]*?)```/g)];
  expect(examples.length).toBe(2);
  for (const [, text] of examples) {
    const { value } = parseScenarioText("x.yaml", text!);
    expect(checkScenario(value, NAMES).problems).toBeUndefined();
  }
});

test("docs/machines.md lists every field of every kind with its default", () => {
  const { oneOf } = z.toJSONSchema(machineProfile, { io: "input" }) as { oneOf: FieldSchema[] };
  const tables = oneOf.map((kind) =>
    [
      `### \`${kind.properties!.kind!.const}\``,
      "",
      ...["| field | default | allowed | meaning |", "|---|---|---|---|"],
      ...Object.entries(kind.properties!).flatMap(([name, field]) => fieldRows(name, field)),
    ].join("\n"),
  );
  expectGenerated("docs/machines.md", `${tables.join("\n\n")}\n`);
});

/** As much of JSON Schema as a profile uses. */
interface FieldSchema {
  readonly const?: string;
  readonly type?: string;
  readonly enum?: readonly string[];
  readonly default?: unknown;
  readonly description?: string;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly properties?: Readonly<Record<string, FieldSchema>>;
}

function fieldRows(name: string, field: FieldSchema): string[] {
  if (field.const !== undefined) return [];
  if (field.properties !== undefined) {
    return Object.entries(field.properties).flatMap(([key, each]) =>
      fieldRows(`${name}.${key}`, each),
    );
  }
  const { minimum, maximum, type } = field;
  const types: Readonly<Record<string, string>> = { string: "text", boolean: "true, false" };
  const range = minimum === undefined ? undefined : `${minimum} to ${maximum}`;
  const allowed = field.enum?.join(", ") ?? range ?? types[type!] ?? type;
  const byDefault = field.default === "" ? "" : JSON.stringify(field.default)?.replaceAll('"', "");
  return [`| \`${name}\` | ${byDefault ?? ""} | ${allowed} | ${field.description ?? ""} |`];
}
