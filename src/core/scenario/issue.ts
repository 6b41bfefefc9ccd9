import type { z } from "zod";
import type { Path, ScenarioProblem } from "./problem.ts";

/** What the schema library found, in our words: value and limit. */
export function problemsOfIssue(
  issue: z.core.$ZodIssue,
  document: unknown,
): readonly ScenarioProblem[] {
  const path = issue.path.filter((key) => typeof key !== "symbol");
  const value = valueAt(document, path);
  const at = (problem: string) => [{ path, problem }];
  switch (issue.code) {
    case "unrecognized_keys":
      return issue.keys.map((key) => ({ path: [...path, key], problem: "there is no such field" }));
    case "too_small":
      return at(tooSmall(value, Number(issue.minimum), issue.inclusive !== false));
    case "too_big":
      return at(`${sizeOf(value)} is too many, at most ${Number(issue.maximum)}`);
    case "invalid_type":
      return at(wrongType(value, issue.expected));
    case "invalid_value":
      return at(`${said(value)} is none of ${issue.values.map(String).join(", ")}`);
    case "invalid_union":
      return invalidUnion(issue, path, value);
    default:
      return at(issue.message);
  }
}

function tooSmall(value: unknown, minimum: number, inclusive: boolean): string {
  if (value === "") return "there is nothing";
  return `${sizeOf(value)} is too few, ${inclusive ? "at least" : "more than"} ${minimum}`;
}

function wrongType(value: unknown, expected: string): string {
  if (value === undefined) return "is missing";
  const nouns: Readonly<Record<string, string>> = {
    int: "a whole number",
    number: "a number",
    string: "a text",
    boolean: "true or false",
    array: "a list",
    object: "a record",
    record: "a record",
  };
  return `${said(value)} is not ${nouns[expected] ?? expected}`;
}

function invalidUnion(
  issue: Extract<z.core.$ZodIssue, { code: "invalid_union" }>,
  path: Path,
  value: unknown,
): readonly ScenarioProblem[] {
  const choices = discriminatorValues(issue);
  if (choices === undefined) return [{ path, problem: `${said(value)} is none of what fits here` }];
  // The path is that of the discriminator; the record itself may be something else altogether.
  if (value === undefined) return [{ path, problem: `is missing; one of ${choices}` }];
  return [{ path, problem: `${said(value)} is none of ${choices}` }];
}

/** Of a discriminated union the names, of a union of literals the values. */
function discriminatorValues(
  issue: Extract<z.core.$ZodIssue, { code: "invalid_union" }>,
): string | undefined {
  if ("options" in issue && Array.isArray(issue.options)) return issue.options.join(", ");
  const values = issue.errors
    .flat()
    .map((each) => (each.code === "invalid_value" ? each.values : []));
  if (values.length === 0 || values.some((each) => each.length === 0)) return undefined;
  return values.flat().map(String).join(", ");
}

export function valueAt(document: unknown, path: Path): unknown {
  let value = document;
  for (const key of path) {
    if (typeof value !== "object" || value === null || !Object.hasOwn(value, key)) return undefined;
    value = (value as Readonly<Record<string | number, unknown>>)[key];
  }
  return value;
}

/** A value as a message shows it: short. */
function said(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return text.length <= 60 ? text : `${text.slice(0, 57)}…`;
}

function sizeOf(value: unknown): string {
  if (Array.isArray(value)) return `${value.length}`;
  if (typeof value === "string") return `${value.length} characters`;
  return said(value);
}
