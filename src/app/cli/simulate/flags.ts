// Flags that change a scenario, as changes of it.
import { InvalidArgumentError } from "commander";
import type { ScenarioChange } from "./scenario.ts";

export interface ScenarioFlags {
  readonly set?: readonly ScenarioChange[];
  readonly sweep?: readonly ScenarioChange[];
  readonly seed?: number;
  readonly grain?: string;
  readonly replications?: number;
  readonly ci?: number;
}

/** A commander parser for `host.cpus=64`, given several times. */
export function setField(
  text: string,
  before: readonly ScenarioChange[] | undefined,
): ScenarioChange[] {
  const [path, value] = assignment(text);
  return [...(before ?? []), { kind: "set", path, value: scalarOf(value), flag: `--set ${text}` }];
}

/** A commander parser for `guests[0].count=1,8,64`, or a JSON list of values. */
export function sweepField(
  text: string,
  before: readonly ScenarioChange[] | undefined,
): ScenarioChange[] {
  const [path, list] = assignment(text);
  const value = list.startsWith("[") ? scalarOf(list) : list.split(",").map(scalarOf);
  return [...(before ?? []), { kind: "sweep", path, value, flag: `--sweep ${text}` }];
}

export function changesOf(flags: ScenarioFlags): ScenarioChange[] {
  const { set = [], sweep = [], seed, grain, replications, ci } = flags;
  const own = (path: string, value: unknown, flag: string): ScenarioChange[] =>
    value === undefined ? [] : [{ kind: "set", path, value, flag: `--${flag} ${value}` }];
  return [
    ...set,
    ...sweep,
    ...own("run.seed", seed, "seed"),
    ...own("run.grain", grain, "grain"),
    ...(replications === undefined
      ? []
      : [
          replicationsAre({ kind: "count", count: replications }, `--replications ${replications}`),
        ]),
    ...(ci === undefined
      ? []
      : [replicationsAre({ kind: "width", relativeWidth: ci / 100 }, `--ci ${ci}`)]),
  ];
}

function replicationsAre(value: unknown, flag: string): ScenarioChange {
  return { kind: "set", path: "run.replications", value, flag };
}

function assignment(text: string): [path: string, value: string] {
  const at = text.indexOf("=");
  if (at <= 0) throw new InvalidArgumentError(`'${text}' is not path=value.`);
  return [text.slice(0, at), text.slice(at + 1)];
}

/** JSON where it is JSON, else the text itself: `64`, `true`, `[{"name":"boot-cap"}]`, `linux-4.20`. */
function scalarOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text.trim();
  }
}
