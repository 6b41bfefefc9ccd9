// The flags of the pressure load, the same for every command that runs it.
import type { Command } from "commander";
import { BootstormError, EXIT } from "../../../core/error.ts";
import { cpusForPressure } from "../../../host/secretmem/cpus.ts";
import { numberList, numberWithin, wholeNumber } from "../arguments.ts";
import type { LoadOptions } from "./load.ts";

export interface LoadFlags {
  readonly processes?: number[];
  readonly rounds: number;
  readonly warmups: number;
  readonly pages: number;
  readonly memoryShare: number;
  readonly seed: number;
  readonly yes?: true;
  readonly record: boolean;
}

export function addLoadFlags(command: Command): Command {
  return addProcessesFlag(command)
    .option("--rounds <n>", "measured rounds of each kind", wholeNumber(3, 10_000), 30)
    .option("--warmups <n>", "rounds before, which do not count", wholeNumber(0, 1000), 3)
    .option("--pages <n>", "4 KiB pages of each process", wholeNumber(64, 1 << 20), 512)
    .option(
      "--memory-share <percent>",
      "most of the available memory that all processes together take",
      numberWithin(0.001, 50),
      1,
    )
    .option("--seed <n>", "order of the rounds", wholeNumber(0, 2 ** 31 - 1), 1)
    .option("--no-record", "do not record lock waits")
    .option(...YES_FLAG);
}

export function addProcessesFlag(command: Command): Command {
  return command.option(
    "--processes <list>",
    "numbers of processes, such as 1,2,4 (default: 1, 2, 4 … up to the CPUs)",
    numberList(1, 4096),
  );
}

export const YES_FLAG = [
  "--yes",
  "do not ask before large pages of the direct map may be split",
] as const;

/** @throws BootstormError TOO_MANY_PROCESSES when the CPUs cannot run them all at once */
export function loadOptions(flags: LoadFlags): LoadOptions {
  return {
    processCounts: processCountsOf(flags.processes),
    rounds: flags.rounds,
    warmups: flags.warmups,
    pagesPerProcess: flags.pages,
    memoryShare: flags.memoryShare / 100,
    seed: flags.seed,
    yes: flags.yes === true,
    record: flags.record,
  };
}

/** @throws BootstormError TOO_MANY_PROCESSES */
export function processCountsOf(asked: readonly number[] | undefined): readonly number[] {
  const cpuCount = cpusForPressure().length;
  const processCounts = asked ?? powersUpTo(cpuCount);
  const most = Math.max(...processCounts);
  if (most <= cpuCount) return processCounts;
  throw new BootstormError("TOO_MANY_PROCESSES", `--processes: ${most} is too many`, {
    why: `this process may use ${cpuCount} CPUs, and processes that share one do not run at once`,
    remedies: [`at most ${cpuCount}`],
    exit: EXIT.usage,
  });
}

/** 1, 2, 4 … and the number itself. */
export function powersUpTo(most: number): number[] {
  const counts: number[] = [];
  for (let count = 1; count < most; count *= 2) counts.push(count);
  return [...counts, most];
}
