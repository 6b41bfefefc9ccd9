import type { OptionValue, PolicyOptions } from "./policy.ts";

/**
 * An option of a policy: what is allowed, what it is when nobody says, and what it means. Help,
 * documents and the scenario's schema are made of these.
 */
export type OptionField = ScalarField | RowsField;

export type ScalarField = NumberField | ChoiceField | YesNoField;

export interface NumberField {
  readonly type: "integer" | "number";
  readonly min: number;
  readonly max: number;
  readonly default: number;
  readonly title: string;
}

export interface ChoiceField {
  readonly type: "choice";
  readonly of: readonly string[];
  readonly default: string;
  readonly title: string;
}

export interface YesNoField {
  readonly type: "yes-no";
  readonly default: boolean;
  readonly title: string;
}

/** A list of records. */
export interface RowsField {
  readonly type: "rows";
  readonly fields: Readonly<Record<string, ScalarField>>;
  readonly rowsMax: number;
  readonly title: string;
}

export type OptionFields = Readonly<Record<string, OptionField>>;

/** The options with every field filled in. */
export type Filled<F extends OptionFields> = { readonly [K in keyof F]: ValueOf<F[K]> };

type ValueOf<F> = F extends NumberField
  ? number
  : F extends { readonly type: "choice"; readonly of: readonly (infer Choice)[] }
    ? Choice
    : F extends YesNoField
      ? boolean
      : F extends { readonly type: "rows"; readonly fields: infer Row }
        ? readonly { readonly [K in keyof Row]: ValueOf<Row[K]> }[]
        : never;

/** What is wrong with an option, where: `["tenants", 2, "weight"]`. */
export interface OptionProblem {
  readonly path: readonly (string | number)[];
  readonly problem: string;
}

/** Every problem of the options; none: `fillOptions` may be called. */
export function optionProblems(
  fields: OptionFields,
  options: PolicyOptions,
): readonly OptionProblem[] {
  const unknown = Object.keys(options)
    .filter((key) => !Object.hasOwn(fields, key))
    .map((key) => ({ path: [key], problem: "there is no such option" }));
  const wrong = Object.entries(fields).flatMap(([key, field]) =>
    options[key] === undefined ? [] : below(key, problemsOf(field, options[key])),
  );
  return [...unknown, ...wrong];
}

/** Defaults for what is not given. The options have no problems. */
export function fillOptions<F extends OptionFields>(fields: F, options: PolicyOptions): Filled<F> {
  return fillRecord(fields, options) as Filled<F>; // As `optionProblems` has checked.
}

function fillRecord(fields: OptionFields, options: PolicyOptions): Record<string, OptionValue> {
  return Object.fromEntries(
    Object.entries(fields).map(([key, field]) => [key, fillField(field, options[key])]),
  );
}

function fillField(field: OptionField, value: OptionValue | undefined): OptionValue {
  if (field.type !== "rows") return value ?? field.default;
  return rowsOf(value ?? [])!.map((row) => fillRecord(field.fields, row));
}

function problemsOf(field: OptionField, value: OptionValue): readonly OptionProblem[] {
  if (field.type !== "rows") {
    const problem = scalarProblem(field, value);
    return problem === undefined ? [] : [{ path: [], problem }];
  }
  const rows = rowsOf(value);
  if (rows === undefined) return [{ path: [], problem: `${said(value)} is not a list of records` }];
  if (rows.length > field.rowsMax) {
    return [{ path: [], problem: `${rows.length} rows are too many, at most ${field.rowsMax}` }];
  }
  return rows.flatMap((row, i) => below(i, optionProblems(field.fields, row)));
}

function below(key: string | number, problems: readonly OptionProblem[]): readonly OptionProblem[] {
  return problems.map(({ path, problem }) => ({ path: [key, ...path], problem }));
}

function rowsOf(value: OptionValue): readonly PolicyOptions[] | undefined {
  if (!Array.isArray(value)) return undefined;
  const rows: readonly unknown[] = value;
  return rows.every((row) => typeof row === "object" && row !== null && !Array.isArray(row))
    ? value
    : undefined;
}

function scalarProblem(field: ScalarField, value: OptionValue): string | undefined {
  switch (field.type) {
    case "integer":
    case "number":
      if (typeof value !== "number" || !Number.isFinite(value)) {
        return `${said(value)} is not a number`;
      }
      if (field.type === "integer" && !Number.isInteger(value)) {
        return `${said(value)} is not a whole number`;
      }
      if (value < field.min) return `${said(value)} is too few, at least ${field.min}`;
      if (value > field.max) return `${said(value)} is too many, at most ${field.max}`;
      return undefined;
    case "choice":
      if (typeof value === "string" && field.of.includes(value)) return undefined;
      return `${said(value)} is none of ${field.of.join(", ")}`;
    case "yes-no":
      return typeof value === "boolean" ? undefined : `${said(value)} is neither true nor false`;
  }
}

function said(value: OptionValue): string {
  return JSON.stringify(value);
}
