import { BootstormError, EXIT } from "../error.ts";

export type Path = readonly (string | number)[];

/** Something wrong in a scenario: where, and in words that name value and limit. */
export interface ScenarioProblem {
  readonly path: Path;
  readonly problem: string;
}

/** Where the values of a file stand in its text, by `pathText`; 1-based. */
export type Positions = ReadonlyMap<string, { readonly line: number; readonly column: number }>;

/** `["guests", 0, "count"]` → `guests[0].count`. */
export function pathText(path: Path): string {
  return path
    .map((key, i) => (typeof key === "number" ? `[${key}]` : i === 0 ? key : `.${key}`))
    .join("");
}

/** `guests[0].count` → `["guests", 0, "count"]`; undefined when it is not a path. */
export function parsePath(text: string): Path | undefined {
  // A name, then names after points and indices in brackets. A name may contain a dash.
  if (!/^[\w-]+(\.[\w-]+|\[\d+\])*$/.test(text)) return undefined;
  return [...text.matchAll(/([\w-]+)|\[(\d+)\]/g)].map(([, key, index]) =>
    index === undefined ? key! : Number(index),
  );
}

/** One error for all problems, in the order of the file: `x.yaml:4:11 host.cpus: 0 is too few …`. */
export function scenarioError(
  file: string,
  problems: readonly ScenarioProblem[],
  positions: Positions,
): BootstormError {
  const located = problems.map((each) => ({ ...each, at: positionOf(each.path, positions) }));
  located.sort((a, b) => a.at.line - b.at.line || a.at.column - b.at.column);
  const lines = located.map(({ at, path, problem }) => {
    const field = path.length === 0 ? "" : `${pathText(path)}: `;
    return `${file}:${at.line}:${at.column} ${field}${problem}`;
  });
  return new BootstormError("SCENARIO_WRONG", lines.join("\n  "), {
    why: problems.length === 1 ? "one field is wrong" : `${problems.length} fields are wrong`,
    exit: EXIT.usage,
  });
}

/** Of the value, or of what it would stand in, when the file does not have it. */
function positionOf(path: Path, positions: Positions): { line: number; column: number } {
  for (let length = path.length; length > 0; length -= 1) {
    const position = positions.get(pathText(path.slice(0, length)));
    if (position !== undefined) return position;
  }
  return { line: 1, column: 1 };
}
