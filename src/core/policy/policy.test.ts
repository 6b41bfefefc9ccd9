import { expect, test } from "vitest";
import { expectGenerated } from "../../../test/conformance/generated.ts";
import { policyLaws } from "../../../test/conformance/policy.ts";
import type { ScalarField } from "./option.ts";
import { createPolicy, POLICIES, STEER_BY_LOCK_WAIT } from "./registry.ts";

for (const kind of POLICIES.values()) {
  policyLaws(
    kind,
    kind.name === "psc-quota"
      ? { "gave-up": "turns that were taken while it waited stay taken; nobody loses by it" }
      : {},
  );
}

test("those that steer by lock waits are those whose state lock waits change", () => {
  const changed = [...POLICIES.values()].filter((kind) => {
    const policy = kind.create({});
    const before = JSON.stringify(policy.snapshot());
    for (let n = 0; n < 10; n += 1) policy.observe({ kind: "lock-wait", share: 0.9 }, n * 1e8);
    return JSON.stringify(policy.snapshot()) !== before;
  });
  expect(new Set(changed.map(({ name }) => name))).toEqual(STEER_BY_LOCK_WAIT);
});

test("every problem of a chain is named with place, value and limit", () => {
  const specs = [
    { name: "boot-cap", options: { boots: 0, colour: "red" } },
    { name: "luck", options: {} },
    { name: "psc-quota", options: { vmPagesPerSecond: 5, tenants: [{ tenant: 1, weight: 1.5 }] } },
  ];
  expect(() => createPolicy(specs)).toThrow(
    [
      "policy[0].options.colour: there is no such option",
      "policy[0].options.boots: 0 is too few, at least 1",
      'policy[1].name: "luck" is none of none, psc-rate',
    ].join("\n  "),
  );
  expect(() => createPolicy(specs)).toThrow("tenants.0.weight: 1.5 is not a whole number");
});

test("options that are each right may contradict each other", () => {
  const cap = [{ name: "boot-cap-delay", options: { bootsMin: 9, bootsMax: 3 } }];
  expect(() => createPolicy(cap)).toThrow("bootsMin: 9 is too many, at most bootsMax (3)");
  const quota = [{ name: "psc-quota", options: { vmPagesPerSecond: 5 } }];
  expect(() => createPolicy(quota)).toThrow("5 is too few, at least 100, or 0 for none");
});

test("docs/policies.md lists every policy and every option", () => {
  const sections = [...POLICIES.values()].map(({ name, title, fields }) => {
    const rows = Object.entries(fields).flatMap(([key, field]) =>
      field.type === "rows"
        ? [
            row(`${key}[]`, "none", `at most ${field.rowsMax} rows`, field.title),
            ...Object.entries(field.fields).map(([inner, each]) =>
              optionRow(`${key}[].${inner}`, each),
            ),
          ]
        : [optionRow(key, field)],
    );
    const table = ["| option | default | allowed | meaning |", "|---|---|---|---|", ...rows];
    return `### \`${name}\`\n\n${title}.\n${rows.length === 0 ? "" : `\n${table.join("\n")}\n`}`;
  });
  expectGenerated("docs/policies.md", sections.join("\n"));
});

function optionRow(key: string, field: ScalarField): string {
  const allowed =
    field.type === "choice"
      ? field.of.join(", ")
      : field.type === "yes-no"
        ? "true, false"
        : `${field.min} to ${field.max}`;
  return row(key, String(field.default), allowed, field.title);
}

function row(key: string, byDefault: string, allowed: string, title: string): string {
  return `| \`${key}\` | ${byDefault} | ${allowed} | ${title} |`;
}
