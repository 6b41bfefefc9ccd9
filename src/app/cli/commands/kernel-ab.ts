// Kernels against each other, in VMs. Rooms it passes: host/guest and host/qemu (images and VMs),
// core/trace (what they say), core/analyze/kernel-ab (what it means), core/sim and core/check (what was
// to be expected), core/report.
import type { Command } from "commander";
import type { BootPurpose, KernelBoot } from "../../../core/event/kernel-run.ts";
import { openCache } from "../../../host/store/cache.ts";
import { createRunFolder, type RunFolder } from "../../../host/store/run-folder.ts";
import { kernelAbAnswer } from "../kernel-ab/answer.ts";
import { type ArmWords, armWords, findArms } from "../kernel-ab/arms.ts";
import { addKernelAbFlags, type KernelAbFlags, requireSense } from "../kernel-ab/flags.ts";
import { LOAD_INIT, prepareMachine } from "../kernel-ab/machine.ts";
import { runComparison } from "../kernel-ab/run.ts";
import { RUN_FILE, readKernelRun, requireNoRun, runFileText } from "../kernel-ab/run-file.ts";
import { keptWords, kernelRun, runNotes } from "../kernel-ab/words.ts";
import { createOutFolder } from "../out-folder.ts";
import { type Answer, runCommand, type Session, withCommonFlags } from "../run.ts";
import { requireOnlyReading } from "../storm/flags.ts";
import { endLeftovers } from "../storm/leftovers.ts";

const DEFAULT_ARMS = ["stock", "no-cpa-lock"];

export function define(command: Command): void {
  command
    .argument(
      "[kernels...]",
      `KERNEL[,WORD…]: a name of scripts/build-kernels.sh or a path with a /, and words for its command line; the first is the base (default: ${DEFAULT_ARMS.join(" ")})`,
      armWords,
    )
    .description(
      "Boot kernels that differ by a patch, in turn, under threads that change the direct map: which " +
        "gets more done, and who waits for which lock in each.",
    );
  withCommonFlags(addKernelAbFlags(command))
    .addHelpText(
      "after",
      `
Examples:
  bootstorm kernel-ab stock no-cpa-lock --build       the talk's experiment, in 15 minutes
  bootstorm kernel-ab stock stock,debug_pagealloc=on  the same without a patch
  bootstorm kernel-ab stock per-pmd-lock split-mark --vcpus 4 --loads split
  bootstorm kernel-ab ./vmlinux-old ./vmlinux-new --repetitions 10
  bootstorm kernel-ab --from bootstorm-runs/FOLDER    the report of that run again`,
    )
    .action((named: readonly ArmWords[] | undefined, flags: KernelAbFlags) =>
      runCommand(command, async (session) => {
        if (flags.from === undefined) {
          const usual = DEFAULT_ARMS.flatMap((text) => armWords(text));
          return compare(session, named?.length ? named : usual, flags);
        }
        requireOnlyReading(command);
        const read = await readKernelRun(flags.from);
        return kernelAbAnswer(session, read, await createRunFolder(flags.out ?? flags.from));
      }),
    );
}

/** A run that is interrupted, or fails, keeps what it has measured; one that has not leaves nothing. */
async function compare(
  session: Session,
  named: readonly ArmWords[],
  flags: KernelAbFlags,
): Promise<Answer> {
  requireSense(named.length, flags);
  if (flags.out !== undefined) requireNoRun(flags.out);
  const folder = await createOutFolder(flags.out);
  let measured = 0;
  try {
    await boot(session, named, flags, folder, ({ role }) => {
      if (role === "measured") measured += 1;
    });
    session.progress.step("writing the report");
    return await kernelAbAnswer(session, await readKernelRun(folder.path), folder);
  } catch (error) {
    if (measured === 0) folder.discard();
    else session.progress.note(keptWords(measured, folder));
    throw error;
  }
}

async function boot(
  session: Session,
  named: readonly ArmWords[],
  flags: KernelAbFlags,
  folder: RunFolder,
  onBoot: (boot: KernelBoot) => void,
): Promise<void> {
  await endLeftovers(session);
  const cache = openCache();
  const purposes: BootPurpose[] = [
    "time",
    ...(flags.count ? (["count"] as const) : []),
    ...(flags.debug ? (["debug"] as const) : []),
  ];
  const ask = { arms: named, purposes, designs: flags.design, build: flags.build === true, cache };
  const arms = await findArms(ask, session);
  const { accelerator, spinlock } = flags;
  const machine = await prepareMachine(
    { arms, accelerator, spinlock, cache, init: LOAD_INIT },
    session,
  );
  const run = kernelRun(arms, machine, flags);
  await folder.write(RUN_FILE, runFileText(run, runNotes(run, machine, named, flags, folder)));
  await runComparison(session, {
    ...{ run, arms, machine, folder, onBoot },
    ask: {
      vcpus: run.vcpus,
      loads: flags.loads,
      threads: flags.threads,
      repetitions: flags.repetitions,
      precision: flags.precision,
      budgetMs: flags.minutes * 60_000,
    },
  });
}
