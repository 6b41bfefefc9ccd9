import { z } from "zod";
import { policyProblems } from "../policy/registry.ts";
import { problemsOfIssue } from "./issue.ts";
import { type Path, type Positions, type ScenarioProblem, scenarioError } from "./problem.ts";
import type { Scenario } from "./scenario.ts";
import { type ScenarioFile, scenarioSchema } from "./schema.ts";
import { type SweepPoint, sweepPoints, sweepValues } from "./sweep.ts";

/** Names that a scenario may use and that are not its own to know. */
export interface KnownNames {
  readonly designs: readonly string[];
  /** Cost tables; a name that ends in `.json` is the file of a calibration, and is not looked up. */
  readonly costTables: readonly string[];
  /** Single costs that `host.costs.ns` may replace. */
  readonly costs: readonly string[];
}

/** A scenario file as its text said it: a plain value, and where each part of it stands. */
export interface ScenarioDocument {
  readonly file: string;
  readonly value: unknown;
  readonly positions: Positions;
}

export interface ReadScenario {
  readonly scenario: Scenario;
  /** One for each combination of the axes' values; without axes the scenario itself. */
  readonly points: readonly SweepPoint[];
}

/**
 * @throws BootstormError SCENARIO_WRONG with every problem: file, line, column, field, value, limit
 */
export function readScenario(document: ScenarioDocument, names: KnownNames): ReadScenario {
  const result = checkScenario(document.value, names);
  if (result.problems !== undefined) {
    throw scenarioError(document.file, result.problems, document.positions);
  }
  return result;
}

/** The same without an exception, for those who show problems in other ways. */
export function checkScenario(
  value: unknown,
  names: KnownNames,
): (ReadScenario & { problems?: undefined }) | { readonly problems: readonly ScenarioProblem[] } {
  const parsed = parse(value);
  if (parsed.file === undefined) return { problems: parsed.problems };
  const { file } = parsed;
  const axes = file.sweep.map((axis, i) => sweepValues(axis, ["sweep", i]));
  const problems = [...fieldProblems(file, names), ...axes.flatMap((axis) => axis.problems)];
  if (problems.length > 0) return { problems };
  const scenario = scenarioOf(
    file,
    axes.map((axis) => axis.axis),
  );
  const { points, problems: ofPoints } = sweepPoints(scenario, (changed) => {
    const again = parse(changed);
    if (again.file === undefined) return { problems: again.problems };
    const wrong = fieldProblems(again.file, names);
    return wrong.length > 0 ? { problems: wrong } : { scenario: scenarioOf(again.file, []) };
  });
  return ofPoints.length > 0 ? { problems: ofPoints } : { scenario, points };
}

/** The JSON Schema of scenario files, for editors. */
export function scenarioJsonSchema(): unknown {
  return z.toJSONSchema(scenarioSchema, { io: "input" });
}

function parse(
  value: unknown,
): { file: ScenarioFile } | { file?: undefined; problems: readonly ScenarioProblem[] } {
  const result = scenarioSchema.safeParse(value);
  if (result.success) return { file: result.data };
  return { problems: result.error.issues.flatMap((issue) => problemsOfIssue(issue, value)) };
}

function scenarioOf(file: ScenarioFile, sweep: Scenario["sweep"]): Scenario {
  const { $schema: _, ...rest } = file;
  return { ...rest, sweep };
}

/** What no single field shows. */
function fieldProblems(file: ScenarioFile, names: KnownNames): readonly ScenarioProblem[] {
  return [
    ...topologyProblems(file),
    ...nameProblems(file, names),
    ...memoryProblems(file),
    ...file.guests.flatMap(guestProblems),
    ...repeatedNames(
      file.guests.map((group) => group.name),
      (i) => ["guests", i, "name"],
    ),
    ...runProblems(file),
    ...policyProblems(file.policy).map(({ index, path, problem }) => ({
      path: ["policy", index, ...path],
      problem,
    })),
  ];
}

function topologyProblems({ host }: ScenarioFile): readonly ScenarioProblem[] {
  const unit = host.sockets * host.smt;
  if (host.cpus % unit !== 0) {
    const problem = `${host.cpus} is not a multiple of sockets × smt (${unit})`;
    return [{ path: ["host", "cpus"], problem }];
  }
  const coresPerSocket = host.cpus / unit;
  if (host.coresPerL3 > coresPerSocket) {
    const problem = `${host.coresPerL3} is too many, at most the ${coresPerSocket} of a socket`;
    return [{ path: ["host", "coresPerL3"], problem }];
  }
  if (coresPerSocket % host.coresPerL3 === 0) return [];
  const problem = `${host.coresPerL3} does not divide the ${coresPerSocket} cores of a socket`;
  return [{ path: ["host", "coresPerL3"], problem }];
}

function nameProblems({ host }: ScenarioFile, names: KnownNames): readonly ScenarioProblem[] {
  const known = (path: Path, name: string, of: readonly string[]): readonly ScenarioProblem[] =>
    of.includes(name)
      ? []
      : [{ path, problem: `${JSON.stringify(name)} is none of ${of.join(", ")}` }];
  const { table, ns } = host.costs;
  return [
    ...known(["host", "design"], host.design, names.designs),
    ...(table.endsWith(".json") ? [] : known(["host", "costs", "table"], table, names.costTables)),
    ...Object.keys(ns).flatMap((cost) => known(["host", "costs", "ns", cost], cost, names.costs)),
  ];
}

function memoryProblems({ host, guests, background }: ScenarioFile): readonly ScenarioProblem[] {
  const { share1g, share2m, share4k } = host.directMap;
  const shares = share1g + share2m + share4k;
  const { abusers } = background;
  const guestMiB = guests.reduce((sum, group) => sum + group.count * group.memoryMiB, 0);
  const usedMiB = guestMiB + abusers.count * abusers.memoryMiB;
  const hostMiB = host.memoryGiB * 1024;
  return [
    ...(Math.abs(shares - 1) < 1e-6
      ? []
      : [{ path: ["host", "directMap"], problem: `the shares sum to ${shares}, not to 1` }]),
    ...(usedMiB <= hostMiB
      ? []
      : [
          {
            path: ["guests"],
            problem: `${usedMiB} MiB of memory are too many, at most ${hostMiB} (host.memoryGiB)`,
          },
        ]),
    ...evenMiB(abusers, ["background", "abusers", "memoryMiB"]),
  ];
}

type GuestGroup = ScenarioFile["guests"][number];

function guestProblems(group: GuestGroup, i: number): readonly ScenarioProblem[] {
  const loadedMiB = group.firmwareMiB + group.kernelMiB;
  const extraMax = (group.memoryMiB - group.firmwareMiB) * 256;
  const path = (field: string): Path => ["guests", i, field];
  const atMost = (field: string, value: number, max: number, what: string) =>
    value <= max ? [] : [{ path: path(field), problem: tooMany(value, max, what) }];
  return [
    ...atMost("kernelMiB", loadedMiB, group.memoryMiB, "memoryMiB, with the firmware"),
    ...atMost(
      "launchExtraPages",
      group.launchExtraPages,
      extraMax,
      "memoryMiB beside the firmware",
    ),
    ...atMost("acceptVcpus", group.acceptVcpus, group.vcpus, "vcpus"),
    ...evenMiB(group, path("memoryMiB")),
    ...repeatedNames(
      group.phases.map((phase) => phase.name),
      (k) => [...path("phases"), k, "name"],
    ),
    ...(["launch", "accept"] as const).flatMap((kind) => {
      const n = group.phases.filter((phase) => phase.kind === kind).length;
      return atMost("phases", n, 1, `one of kind ${kind}`);
    }),
  ];
}

function tooMany(value: number, max: number, what: string): string {
  return `${value} is too many, at most ${max} (${what})`;
}

function evenMiB(
  { memoryMiB, pageSize }: { readonly memoryMiB: number; readonly pageSize: "4k" | "2m" },
  path: Path,
): readonly ScenarioProblem[] {
  if (pageSize === "4k" || memoryMiB % 2 === 0) return [];
  return [{ path, problem: `${memoryMiB} is odd; with pages of 2 MiB it must be even` }];
}

function runProblems({ run }: ScenarioFile): readonly ScenarioProblem[] {
  const { replications } = run;
  if (replications.kind === "count" || replications.min <= replications.max) return [];
  const problem = tooMany(replications.min, replications.max, "max");
  return [{ path: ["run", "replications", "min"], problem }];
}

function repeatedNames(
  names: readonly string[],
  path: (i: number) => Path,
): readonly ScenarioProblem[] {
  return names.flatMap((name, i) =>
    names.indexOf(name) === i
      ? []
      : [{ path: path(i), problem: `${JSON.stringify(name)} is the name of another one too` }],
  );
}
