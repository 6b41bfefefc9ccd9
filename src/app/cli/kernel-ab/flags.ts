// The flags of `kernel-ab`, and what they come to.
import { availableParallelism } from "node:os";
import { type Command, InvalidArgumentError, Option } from "commander";
import { BootstormError, EXIT } from "../../../core/error.ts";
import { fileName, numberList, numberWithin, oneOf, wholeNumber } from "../arguments.ts";
import { powersUpTo } from "../load/flags.ts";
import type { AcceleratorWord, SpinlockWord } from "./machine.ts";
import type { ComparedLoad } from "./orders.ts";

export interface KernelAbFlags {
  readonly vcpus?: readonly number[];
  readonly threads?: readonly number[];
  readonly loads: readonly ComparedLoad[];
  readonly repetitions?: number;
  readonly precision: number;
  readonly minutes: number;
  readonly count: boolean;
  readonly debug: boolean;
  readonly spinlock: SpinlockWord;
  readonly accelerator: AcceleratorWord;
  readonly design?: readonly string[];
  readonly build?: true;
  readonly seed: number;
  readonly out?: string;
  readonly from?: string;
}

const LOADS: readonly ComparedLoad[] = ["toggle", "split"];
/** Of our kernels (CONFIG_NR_CPUS in kernel/config/base.config). */
const VCPUS_MAX = 64;

export function addKernelAbFlags(command: Command): Command {
  return command
    .option(
      "--vcpus <list>",
      "sizes of guests (default: 1, 2, 4 … up to 2 × CPUs, at most 8)",
      numberList(1, VCPUS_MAX),
    )
    .option(
      "--threads <list>",
      "threads that change the direct map (default: 1, 2, 4 … up to the vCPUs)",
      numberList(1, VCPUS_MAX),
    )
    .addOption(
      new Option("--loads <list>", "what they do")
        .argParser(loadList)
        .default(LOADS, LOADS.join(",")),
    )
    .option(
      "--repetitions <n>",
      "boots of each kernel and size (default: until the intervals are tight)",
      wholeNumber(1, 1000),
    )
    .option(
      "--precision <share>",
      "an interval is tight if its ends are within a factor of 1 + this",
      numberWithin(0.001, 1),
      0.15,
    )
    .option(
      "--minutes <n>",
      "begin no repetition that would end later",
      numberWithin(0.1, 10_000),
      12,
    )
    .option("--no-count", "do not boot kernels with lock statistics")
    .option("--no-debug", "do not boot kernels with their own checks")
    .option(
      "--spinlock <kind>",
      "test-and-set, as VMs have, or queued, as hosts have",
      oneOf("test-and-set", "queued"),
      "test-and-set",
    )
    .option(
      "--accelerator <how>",
      "auto, kvm or tcg: auto is kvm where it works",
      oneOf("auto", "kvm", "tcg"),
      "auto",
    )
    .option(
      "--design <list>",
      "lock designs of check that the kernels have, or none (default: by their names)",
      wordList,
    )
    .option("--build", "build kernels that are not built yet: minutes, and 2 GiB of disk")
    .option("--seed <n>", "chance in the intervals", wholeNumber(0, 2 ** 31 - 1), 1)
    .option(
      "--out <folder>",
      "where the run goes (default: a new folder in bootstorm-runs)",
      fileName,
    )
    .option("--from <folder>", "boot nothing: read a run again (default: none)", fileName);
}

/** Beyond 2 × CPUs it is all about the host's scheduler. */
export function vcpusOf({ vcpus }: Pick<KernelAbFlags, "vcpus">): readonly number[] {
  return vcpus ?? powersUpTo(Math.min(8, 2 * availableParallelism()));
}

/** @throws BootstormError TOO_FEW_KERNELS, TOO_MANY_DESIGNS, TOO_FEW_VCPUS */
export function requireSense(
  arms: number,
  { design, threads, ...flags }: Pick<KernelAbFlags, "design" | "threads" | "vcpus">,
): void {
  const wrong = (code: string, what: string, why: string, remedy: string) =>
    new BootstormError(code, what, { why, remedies: [remedy], exit: EXIT.usage });
  if (arms < 2) {
    throw wrong(
      "TOO_FEW_KERNELS",
      "one kernel has nothing to be compared with",
      "the first is the base, and each other one is compared with it",
      "name another: bootstorm kernel-ab stock no-cpa-lock",
    );
  }
  if (design !== undefined && design.length > arms) {
    throw wrong(
      "TOO_MANY_DESIGNS",
      `--design: ${design.length} designs for ${arms} kernels`,
      "there is one for each kernel, in their order",
      `at most ${arms}`,
    );
  }
  const least = Math.min(...vcpusOf(flags));
  const fewest = Math.min(...(threads ?? [1]));
  if (fewest > least) {
    throw wrong(
      "TOO_FEW_VCPUS",
      `--threads: ${fewest} threads do not fit into ${least} vCPU${least === 1 ? "" : "s"}`,
      "each thread has a vCPU of its own, and a guest of each size is to measure something",
      `--vcpus ${fewest} or more`,
    );
  }
}

/** A commander parser for `toggle,split`. */
function loadList(text: string): readonly ComparedLoad[] {
  const one = oneOf(...LOADS);
  const named = text.split(",").map((word) => one(word.trim()));
  return LOADS.filter((load) => named.includes(load));
}

function wordList(text: string): readonly string[] {
  const words = text.split(",").map((word) => word.trim());
  if (words.includes("")) throw new InvalidArgumentError(`'${text}' has an empty name in it.`);
  return words;
}
