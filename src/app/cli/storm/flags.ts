// The flags of `storm`, and what they come to.
import { resolve } from "node:path";
import { type Command, InvalidArgumentError, Option } from "commander";
import { BootstormError, EXIT } from "../../../core/error.ts";
import type { Arrivals } from "../../../core/scenario/scenario.ts";
import { fileName, numberList, oneOf, wholeNumber } from "../arguments.ts";
import { YES_FLAG } from "../load/flags.ts";
import { OWN_GOVERNOR } from "../run.ts";
import { setField } from "../simulate/flags.ts";
import type { ScenarioChange } from "../simulate/scenario.ts";
import { BOOT_POLICIES, GOVERN_LIMIT, type Limit, limitOf, VMS_MAX } from "./plan.ts";

export interface StormFlags {
  readonly vms?: readonly number[];
  readonly repetitions: number;
  readonly warmUps: number;
  readonly limit?: Limit;
  readonly compareLimits?: readonly Limit[];
  /** A socket, or OWN_GOVERNOR. */
  readonly govern?: string;
  readonly comparePlain?: true;
  readonly arrivals?: Arrivals;
  readonly pressure?: readonly number[];
  readonly afterReady: "end" | "stay";
  readonly set?: readonly ScenarioChange[];
  readonly record: boolean;
  readonly yes?: true;
  readonly force?: true;
  readonly seed: number;
  readonly out?: string;
  readonly from?: string;
}

/** Flags that have a meaning with --from. */
const READING = ["from", "out", "json", "quiet"];

export function addStormFlags(command: Command): Command {
  return command
    .option(
      "--vms <list>",
      "numbers of VMs started together (default: 1, 2, 4 … up to 4 × CPUs)",
      numberList(1, VMS_MAX),
    )
    .option("--repetitions <n>", "rounds of each number and limit", wholeNumber(1, 1000), 3)
    .option("--warm-ups <n>", "rounds before, which do not count", wholeNumber(0, 100), 1)
    .addOption(
      new Option(
        "--limit <rule>",
        "boots let in at once, govern, or a policy for boots (default: the scenario's, or none)",
      )
        .argParser(limitFlag)
        .conflicts("compareLimits"),
    )
    .option(
      "--compare-limits <list>",
      "several limits in one run, such as 1,2,4,none (default: none)",
      limitList,
    )
    .addOption(governOption())
    .option("--compare-plain", "boot the same VMs without confidentiality too, as control")
    .option(
      "--arrivals <how>",
      "together, ramp:MS, rate:PER-SECOND or poisson:PER-SECOND (default: the scenario's)",
      arrivalsFlag,
    )
    .option(
      "--pressure <list>",
      "direct-map pressure processes beside the boots; 0,2 compares (default: 0)",
      numberList(0, 4096),
    )
    .option(
      "--after-ready <what>",
      "end or stay: what a VM does until all are ready",
      oneOf("end", "stay"),
      "end",
    )
    .option("--set <path=value>", "set a field of the scenario (default: none)", setField)
    .option("--no-record", "do not record lock waits")
    .option(...YES_FLAG)
    .option("--force", "start more VMs than this host can hold")
    .option(
      "--seed <n>",
      "order of the rounds, and chance of arrivals",
      wholeNumber(0, 2 ** 31 - 1),
      1,
    )
    .option(
      "--out <folder>",
      "where the run goes (default: a new folder in bootstorm-runs)",
      fileName,
    )
    .option("--from <folder>", "boot nothing: read a run again (default: none)", fileName);
}

function governOption(): Option {
  const option = new Option(
    "--govern [socket]",
    "ask a governor for each boot: on that socket, or a fresh one each round (default: none)",
  )
    .argParser(fileName)
    .conflicts("limit");
  option.flags = "--govern[=socket]";
  return option;
}

/**
 * The rules that are compared, `govern` among them where it is asked for.
 * @param usual  the rule where none is named
 */
export function limitsOf(
  { limit, compareLimits, govern }: StormFlags,
  usual: () => Limit,
): readonly Limit[] {
  if (govern === undefined) return compareLimits ?? [limit ?? usual()];
  const others = (compareLimits ?? []).filter(({ name }) => name !== GOVERN_LIMIT.name);
  if (govern === OWN_GOVERNOR) return [...others, GOVERN_LIMIT];
  return [...others, { ...GOVERN_LIMIT, governor: { socket: resolve(govern) } }];
}

/** @throws BootstormError FROM_AND_BOOT when something is asked of VMs that nobody starts */
export function requireOnlyReading(command: Command): void {
  const others = command.options.filter(
    (option) =>
      command.getOptionValueSource(option.attributeName()) === "cli" &&
      !READING.includes(option.attributeName()),
  );
  const named = [...command.args, ...others.map(({ long, short }) => long ?? short)];
  if (named.length === 0) return;
  throw new BootstormError("FROM_AND_BOOT", "--from reads a run that is over", {
    why: `${named.join(", ")} would change what is booted`,
    remedies: ["leave out --from to boot again, or the others to read"],
    exit: EXIT.usage,
  });
}

/** A commander parser for `none`, `2` or `boot-cap-aimd`. */
function limitFlag(text: string): Limit {
  const limit = limitOf(text.trim());
  if (limit !== undefined) return limit;
  throw new InvalidArgumentError(
    `'${text}' is neither none, nor a number of boots, nor one of ${[...BOOT_POLICIES, GOVERN_LIMIT.name].join(", ")}.`,
  );
}

function limitList(text: string): readonly Limit[] {
  return [...new Map(text.split(",").map((word) => [word.trim(), limitFlag(word)])).values()];
}

/** A commander parser for `together`, `ramp:2000` (ms), `rate:4` and `poisson:4` (a second). */
function arrivalsFlag(text: string): Arrivals {
  if (text === "together") return { kind: "together" };
  const [, kind, number] = /^(ramp|rate|poisson):(\d+(?:\.\d+)?)$/.exec(text) ?? [];
  const value = Number(number);
  if (kind === "ramp" && value <= 86_400_000) return { kind, overMs: value };
  if ((kind === "rate" || kind === "poisson") && value > 0 && value <= 1e6) {
    return { kind, perSecond: value };
  }
  throw new InvalidArgumentError(
    `'${text}' is none of together, ramp:MS, rate:PER-SECOND, poisson:PER-SECOND.`,
  );
}
