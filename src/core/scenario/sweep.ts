import { valueAt } from "./issue.ts";
import { type Path, parsePath, pathText, type ScenarioProblem } from "./problem.ts";
import type { Scenario, SweepAxis, SweepValue } from "./scenario.ts";
import type { SweepFile } from "./schema.ts";

/** One run of a sweep: the fields it sets, and the scenario with them set. */
export interface SweepPoint {
  readonly fields: readonly { readonly path: string; readonly value: SweepValue }[];
  /** Without a sweep of its own. */
  readonly scenario: Scenario;
}

/** Each point is a whole simulation; more is a mistake in a range. */
export const POINTS_MAX = 2000;

/** The values of an axis, spelled out. */
export function sweepValues(
  axis: SweepFile,
  at: Path,
): { readonly axis: SweepAxis; readonly problems: readonly ScenarioProblem[] } {
  const { path, values, from, to, step, factor } = axis;
  const hasRange = [from, to, step, factor].some((each) => each !== undefined);
  const fail = (field: string | undefined, problem: string) => ({
    axis: { path, values: [] },
    problems: [{ path: field === undefined ? at : [...at, field], problem }],
  });
  if (values !== undefined) {
    if (hasRange) return fail(undefined, "has both values and a range; one of them");
    return { axis: { path, values }, problems: [] };
  }
  if (from === undefined || to === undefined)
    return fail(undefined, "needs values, or from and to");
  if ((step === undefined) === (factor === undefined)) {
    return fail(undefined, "needs either step or factor");
  }
  if (from > to) return fail("from", `${from} is too many, at most ${to} (to)`);
  if (factor !== undefined && from <= 0) return fail("from", `${from} is too few, more than 0`);
  const range: number[] = [];
  for (let value = from; value <= to && range.length <= POINTS_MAX; ) {
    range.push(value);
    value = step === undefined ? value * factor! : from + range.length * step;
  }
  return { axis: { path, values: range }, problems: [] };
}

/**
 * The product of all axes, the last axis fastest.
 * @param check  makes a scenario of a changed one, or says what is wrong with it
 */
export function sweepPoints(
  scenario: Scenario,
  check: (
    changed: unknown,
  ) => { readonly scenario: Scenario } | { readonly problems: readonly ScenarioProblem[] },
): { readonly points: readonly SweepPoint[]; readonly problems: readonly ScenarioProblem[] } {
  const { sweep, ...base } = scenario;
  const problems = [...sweep.flatMap((axis, i) => axisProblems(axis, i, base)), ...tooMany(sweep)];
  if (problems.length > 0) return { points: [], problems };
  const points: SweepPoint[] = [];
  for (const picks of product(sweep.map((axis) => axis.values.length))) {
    const fields = sweep.map(({ path, values }, i) => ({ path, value: values[picks[i]!]! }));
    const changed = fields.reduce<unknown>(
      (document, { path, value }) => withValue(document, parsePath(path)!, value),
      { ...base, sweep: [] },
    );
    const checked = check(changed);
    if ("scenario" in checked) points.push({ fields, scenario: checked.scenario });
    else problems.push(...checked.problems.map((each) => ofPoint(each, sweep, picks)));
  }
  return { points, problems: distinct(problems) };
}

function axisProblems(axis: SweepAxis, i: number, base: unknown): readonly ScenarioProblem[] {
  const path = parsePath(axis.path);
  const said = JSON.stringify(axis.path);
  const at = ["sweep", i, "path"];
  if (path === undefined) return [{ path: at, problem: `${said} is not a path` }];
  if (["name", "title", "chart", "sweep"].includes(String(path[0]))) {
    return [{ path: at, problem: `${said} cannot be swept` }];
  }
  const now = valueAt(base, path);
  const isCost = pathText(path.slice(0, -1)) === "host.costs.ns";
  if (now === undefined && !isCost) {
    return [{ path: at, problem: `there is no field ${said} in this scenario` }];
  }
  if (typeof now === "object" && axis.path !== "policy") {
    return [{ path: at, problem: `${said} is not a single value` }];
  }
  return [];
}

function tooMany(sweep: readonly SweepAxis[]): readonly ScenarioProblem[] {
  const count = sweep.reduce((product, axis) => product * axis.values.length, 1);
  if (count <= POINTS_MAX) return [];
  return [{ path: ["sweep"], problem: `${count} points are too many, at most ${POINTS_MAX}` }];
}

/** A problem of a point is shown at the value that made it: the axis whose field is wrong. */
function ofPoint(
  { path, problem }: ScenarioProblem,
  sweep: readonly SweepAxis[],
  picks: readonly number[],
): ScenarioProblem {
  const field = pathText(path);
  const found = sweep.findIndex(
    (axis) => field.startsWith(axis.path) || axis.path.startsWith(field),
  );
  const guilty = found === -1 ? sweep.length - 1 : found;
  return {
    path: ["sweep", guilty, "values", picks[guilty]!],
    problem: `${field}: ${problem}`,
  };
}

function distinct(problems: readonly ScenarioProblem[]): readonly ScenarioProblem[] {
  const byText = new Map(problems.map((each) => [pathText(each.path) + each.problem, each]));
  return [...byText.values()];
}

/** A copy with one value changed; the path exists but for its last key. */
function withValue(document: unknown, path: Path, value: SweepValue): unknown {
  const [key, ...rest] = path;
  if (key === undefined) return value;
  if (Array.isArray(document)) {
    return document.map((each, i) => (i === key ? withValue(each, rest, value) : each));
  }
  const record = document as Readonly<Record<string, unknown>>;
  return { ...record, [key]: withValue(record[key], rest, value) };
}

/** All tuples of indices below the sizes, the last one fastest. */
function* product(sizes: readonly number[]): Generator<readonly number[]> {
  const [size, ...rest] = sizes;
  if (size === undefined) {
    yield [];
    return;
  }
  for (let i = 0; i < size; i += 1) for (const tail of product(rest)) yield [i, ...tail];
}
