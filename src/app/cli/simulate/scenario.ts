// A scenario file with what the command line changes in it.
import { readdirSync } from "node:fs";
import { basename, dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { BootstormError, EXIT } from "../../../core/error.ts";
import { COST_KEYS, COST_TABLES } from "../../../core/kernel/cost/cost-table.ts";
import { DESIGNS } from "../../../core/kernel/design/index.ts";
import {
  type Path,
  parsePath,
  pathText,
  type ScenarioProblem,
  scenarioError,
} from "../../../core/scenario/problem.ts";
import {
  checkScenario,
  type ReadScenario,
  type ScenarioDocument,
} from "../../../core/scenario/read.ts";
import { readScenarioFile } from "../../../host/store/scenario-file.ts";
import { COST_TABLE_FIELD, type CostFiles, readCostFiles } from "./costs.ts";

/** A field to set or to sweep, as a flag says it. */
export interface ScenarioChange {
  readonly kind: "set" | "sweep";
  readonly path: string;
  readonly value: unknown;
  /** As typed, for messages. */
  readonly flag: string;
}

const NAMES = {
  designs: DESIGNS.map((design) => design.name),
  costTables: [...COST_TABLES.keys()],
  costs: COST_KEYS,
};
const SHIPPED = fileURLToPath(new URL("../../../../scenarios/", import.meta.url));

export interface FullScenario extends ReadScenario {
  /** All that the points name. */
  readonly costFiles: CostFiles;
}

/**
 * Reads a scenario, from a file or one of ours by name, and applies changes. Cost tables that it
 * names are read too: those of the file beside it, those of flags from the current folder.
 * @throws BootstormError NO_SUCH_SCENARIO, CANNOT_READ, SCENARIO_TEXT, WRONG_USAGE, SCENARIO_WRONG
 */
export async function scenarioWith(
  name: string,
  changes: readonly ScenarioChange[],
): Promise<FullScenario> {
  const document = await readScenarioFile(fileOf(name));
  const changed = changes.reduce(applied, document.value);
  const read = checkScenario(changed, NAMES);
  if (read.problems !== undefined) throw scenarioWrong(document, read.problems, changes, changed);
  const byFlag = changes.some(
    ({ path }) => path === COST_TABLE_FIELD || isBelow(COST_TABLE_FIELD, path),
  );
  const { files, problems } = await readCostFiles(read, byFlag ? "" : dirname(document.file));
  if (problems.length > 0) throw scenarioWrong(document, problems, changes, changed);
  return { ...read, costFiles: files };
}

/** Every problem at once, at its place in the file or with the flag that is to blame. */
function scenarioWrong(
  { file, positions }: ScenarioDocument,
  problems: readonly ScenarioProblem[],
  changes: readonly ScenarioChange[],
  changed: unknown,
): BootstormError {
  const flagged = problems.map((problem) => ({
    ...problem,
    change: changes.findLast((change) => concerns(change, problem, changed)),
  }));
  const ofFile = flagged.filter(({ change }) => change === undefined);
  const ofFlags = flagged.flatMap(({ change, path, problem }) =>
    change === undefined ? [] : [`${change.flag}: ${pathText(path)}: ${problem}`],
  );
  const located = ofFile.length === 0 ? [] : [scenarioError(file, ofFile, positions).message];
  return new BootstormError("SCENARIO_WRONG", [...located, ...ofFlags].join("\n  "), {
    why: flagged.length === 1 ? "one field is wrong" : `${flagged.length} fields are wrong`,
    exit: EXIT.usage,
  });
}

/** A name without folder or ending is one of our scenarios. */
function fileOf(name: string): string {
  if (/\/|\.(ya?ml|json)$/.test(name)) return name;
  const shipped = readdirSync(SHIPPED).map((file) => basename(file, ".yaml"));
  if (shipped.includes(name)) return `${SHIPPED}${name}.yaml`;
  throw new BootstormError("NO_SUCH_SCENARIO", `there is no scenario ${name}`, {
    why: "it is neither one of ours nor the name of a file",
    remedies: [`ours: ${shipped.sort().join(", ")}`],
    exit: EXIT.usage,
  });
}

function applied(document: unknown, { kind, path, value, flag }: ScenarioChange): unknown {
  const keys = parsePath(path);
  if (keys === undefined) throw wrongFlag(flag, `${path} is not a path`);
  const axes = axesOf(document);
  const others = axes.filter((axis) => axis.path !== path);
  if (kind === "set") {
    const set = withValue(document, keys, value, flag);
    // What is set is no longer swept.
    return others.length === axes.length ? set : withValue(set, ["sweep"], others, flag);
  }
  const at = axes.findIndex((axis) => axis.path === path);
  const axis = { path, values: value };
  return withValue(document, ["sweep"], at < 0 ? [...axes, axis] : axes.with(at, axis), flag);
}

function axesOf(document: unknown): readonly { readonly path?: unknown }[] {
  const { sweep } = (document ?? {}) as { sweep?: unknown };
  return Array.isArray(sweep) ? sweep : [];
}

/** A copy with one value changed; records on the way that the file leaves out are made. */
function withValue(document: unknown, [key, ...rest]: Path, value: unknown, flag: string): unknown {
  if (key === undefined) return value;
  if (typeof key === "number") {
    const list = document === undefined ? [{}] : document;
    if (!Array.isArray(list) || key >= list.length) {
      throw wrongFlag(
        flag,
        `there is no [${key}]: ${Array.isArray(list) ? `${list.length} there` : "no list"}`,
      );
    }
    return list.with(key, withValue(list[key], rest, value, flag));
  }
  if (document !== undefined && (typeof document !== "object" || document === null)) {
    throw wrongFlag(flag, `${key} is a field of something that is a single value`);
  }
  const record = (document ?? {}) as Readonly<Record<string, unknown>>;
  return { ...record, [key]: withValue(record[key], rest, value, flag) };
}

/** True when a flag, not the file, is to blame for a problem. */
function concerns(change: ScenarioChange, { path }: ScenarioProblem, changed: unknown): boolean {
  const field = pathText(path);
  if (change.kind === "set") return field === change.path || isBelow(field, change.path);
  const at = axesOf(changed).findIndex((axis) => axis.path === change.path);
  return field === `sweep[${at}]` || isBelow(field, `sweep[${at}]`);
}

function isBelow(field: string, path: string): boolean {
  return field.startsWith(`${path}.`) || field.startsWith(`${path}[`);
}

function wrongFlag(flag: string, why: string): BootstormError {
  return new BootstormError("WRONG_USAGE", `${flag} cannot be done`, {
    why,
    remedies: ["paths are those of the scenario file, such as guests[0].count or host.design"],
    exit: EXIT.usage,
  });
}
