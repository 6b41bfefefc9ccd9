// Cost tables that are files of calibrations: read once, and given to every storm that names them.
import { isAbsolute, join } from "node:path";
import { BootstormError } from "../../../core/error.ts";
import type { CostFile } from "../../../core/kernel/cost/cost-file.ts";
import { COST_TABLES, type CostsNs, costsNs } from "../../../core/kernel/cost/cost-table.ts";
import type { Path, ScenarioProblem } from "../../../core/scenario/problem.ts";
import type { ReadScenario } from "../../../core/scenario/read.ts";
import type { Scenario } from "../../../core/scenario/scenario.ts";
import { readScenarioCosts } from "../../../host/store/scenario-file.ts";

/** By what `host.costs.table` calls them. */
export type CostFiles = ReadonlyMap<string, CostFile>;

export const COST_TABLE_FIELD = "host.costs.table";

/**
 * Reads every file that the points of a scenario name as their cost table.
 * @param folder  that names are relative to
 */
export async function readCostFiles(
  { scenario, points }: ReadScenario,
  folder: string,
): Promise<{ readonly files: CostFiles; readonly problems: readonly ScenarioProblem[] }> {
  const names = points.map((point) => point.scenario.host.costs.table);
  const files = new Map<string, CostFile>();
  const problems: ScenarioProblem[] = [];
  for (const name of new Set(names.filter((table) => !COST_TABLES.has(table)))) {
    const path = isAbsolute(name) ? name : join(folder, name);
    try {
      files.set(name, await readScenarioCosts(path));
    } catch (error) {
      if (!(error instanceof BootstormError)) throw error;
      problems.push({
        path: pathOfTable(scenario, name),
        problem: `${error.message}: ${error.why}`,
      });
    }
  }
  return { files, problems };
}

/** The field itself, or the sweep that names the file. */
function pathOfTable({ host, sweep }: Scenario, name: string): Path {
  const axis = sweep.findIndex(({ path }) => path === COST_TABLE_FIELD);
  return host.costs.table === name || axis < 0 ? ["host", "costs", "table"] : ["sweep", axis];
}

/** The costs of a scenario whose table is a file; undefined where it is one of ours. */
export function costsOfFile({ host }: Scenario, files: CostFiles): CostsNs | undefined {
  const file = files.get(host.costs.table);
  if (file === undefined) return undefined;
  return costsNs({ ...COST_TABLES.get(file.base)!, ...file.costs }, host.costs.ns);
}
