// Real VMs booted together. Rooms it passes: core/scenario (what to boot), host/guest and host/qemu
// (images and VMs), host/tracefs (lock waits), core/analyze (what it means), core/report.
import { availableParallelism } from "node:os";
import type { Command } from "commander";
import { BootstormError, EXIT } from "../../../core/error.ts";
import { counted } from "../../../core/report/words.ts";
import { readMemAvailable } from "../../../host/probe/round-load.ts";
import { cpusForPressure } from "../../../host/secretmem/cpus.ts";
import { createRunFolder, type RunFolder } from "../../../host/store/run-folder.ts";
import { powersUpTo } from "../load/flags.ts";
import { agreeToSplits, whyNoRecording } from "../load/load.ts";
import { createOutFolder } from "../out-folder.ts";
import { type Answer, runCommand, type Session, withCommonFlags } from "../run.ts";
import { scenarioWith } from "../simulate/scenario.ts";
import { shellWord } from "../simulate/words.ts";
import { stormAnswer } from "../storm/answer.ts";
import { type Demand, requireCapacity } from "../storm/capacity.ts";
import { addStormFlags, limitsOf, requireOnlyReading, type StormFlags } from "../storm/flags.ts";
import { governorPolicy } from "../storm/govern-admission.ts";
import { endLeftovers } from "../storm/leftovers.ts";
import { prepareMachine, type StormMachine } from "../storm/machine.ts";
import { type BootKind, type Limit, scenarioLimit, vmsAtOnce } from "../storm/plan.ts";
import { runStorm, type StormCourse, type StormOptions } from "../storm/run.ts";
import { RUN_FILE, readRun, requireNoRun, runFileText } from "../storm/run-file.ts";
import { NOT_ASKED, runNotes } from "../storm/words.ts";

const DEFAULT_SCENARIO = "tiny";

export function define(command: Command): void {
  command
    .argument("[scenario]", `a YAML or JSON file, or one of ours (default: ${DEFAULT_SCENARIO})`)
    .description(
      "Boot real VMs together and see what grows: boot time against their number, in which phase, " +
        "and what the host was waiting for. SNP where it works, else KVM, else emulated.",
    );
  withCommonFlags(addStormFlags(command))
    .addHelpText(
      "after",
      `
Examples:
  sudo bootstorm storm                              tiny VMs, 1 to 4 × CPUs
  bootstorm storm --vms 16 --compare-limits 2,none  does it help to let in two at a time?
  bootstorm storm --vms 16 --compare-limits none,2 --govern   and what does the daemon make of it?
  bootstorm storm mine.yaml --set 'guests[0].machine.kernel=/boot/vmlinuz-new'
  bootstorm storm --from bootstorm-runs/FOLDER      the report of that run again`,
    )
    .action((scenario: string | undefined, flags: StormFlags) =>
      runCommand(command, async (session) => {
        if (flags.from === undefined) return bootAll(session, scenario ?? DEFAULT_SCENARIO, flags);
        requireOnlyReading(command);
        const run = await readRun(flags.from);
        return stormAnswer(run, await createRunFolder(flags.out ?? flags.from));
      }),
    );
}

/** A run that is interrupted, or fails, keeps what it has measured; one that has not leaves nothing. */
async function bootAll(session: Session, name: string, flags: StormFlags): Promise<Answer> {
  if (flags.out !== undefined) requireNoRun(flags.out);
  const folder = await createOutFolder(flags.out);
  let measured = 0;
  try {
    await storm(session, name, flags, folder, () => {
      measured += 1;
    });
    session.progress.step("writing the report");
    return await stormAnswer(await readRun(folder.path), folder);
  } catch (error) {
    if (measured === 0) folder.discard();
    else session.progress.note(keptWords(measured, folder));
    throw error;
  }
}

async function storm(
  session: Session,
  name: string,
  flags: StormFlags,
  folder: RunFolder,
  onMeasured: () => void,
): Promise<void> {
  await endLeftovers(session);
  const { scenario } = await scenarioWith(name, flags.set ?? []);
  const limits = await known(limitsOf(flags, () => scenarioLimit(scenario.policy)));
  const pressures = flags.pressure ?? [0];
  const withPressure = requireProcesses(pressures) > 0;
  const machine = await prepareMachine(session, scenario.guests);
  const notRecorded = flags.record ? whyNoRecording() : NOT_ASKED;
  const options: StormOptions = {
    vms: flags.vms ?? powersUpTo(4 * availableParallelism()),
    limits,
    kinds: kindsOf(machine.confidential, flags.comparePlain === true),
    pressures,
    repetitions: flags.repetitions,
    warmUps: flags.warmUps,
    witness: notRecorded === undefined,
    seed: flags.seed,
    arrivals: flags.arrivals ?? scenario.arrivals,
    afterReady: flags.afterReady,
  };
  if (flags.force !== true) {
    requireCapacity(demandOf(machine, options), {
      cpus: availableParallelism(),
      memAvailableBytes: readMemAvailable(),
    });
  }
  if (withPressure) await agreeToSplits(session, { yes: flags.yes === true });
  const course: StormCourse = {
    ...{ machine, options, folder, notRecorded },
    onRound: ({ role }) => role === "measured" && onMeasured(),
  };
  await folder.write(RUN_FILE, runFileText(runNotes(name, scenario, flags, course)));
  await runStorm(session, course);
}

/**
 * The same limits, with the policies that a governor's daemon runs now.
 * @throws BootstormError NO_GOVERNOR, before anything is booted
 */
function known(limits: readonly Limit[]): Promise<readonly Limit[]> {
  return Promise.all(
    limits.map(async (limit) => {
      const socket = limit.governor?.socket;
      return socket === undefined ? limit : { ...limit, policy: await governorPolicy(socket) };
    }),
  );
}

/** Of the VMs that are there at once in the largest round. */
function demandOf(machine: StormMachine, options: StormOptions): readonly Demand[] {
  const most = Math.max(...options.vms);
  const atOnce = options.limits.map((limit) => vmsAtOnce(limit, most));
  return machine.demandOf(options.afterReady === "stay" ? most : Math.max(...atOnce));
}

/**
 * @returns the most
 * @throws BootstormError TOO_MANY_PROCESSES
 */
function requireProcesses(pressures: readonly number[]): number {
  const [most, cpus] = [Math.max(...pressures), cpusForPressure().length];
  if (most <= cpus) return most;
  throw new BootstormError("TOO_MANY_PROCESSES", `--pressure: ${most} is too many`, {
    why: `this process may use ${cpus} CPUs, and pressure that shares one with other pressure is none`,
    remedies: [`at most ${cpus}`],
    exit: EXIT.usage,
  });
}

/** @throws BootstormError NO_CONFIDENTIAL_VMS when there is nothing to compare plain VMs with */
function kindsOf(confidential: boolean, comparePlain: boolean): readonly BootKind[] {
  if (!comparePlain) return [confidential ? "confidential" : "plain"];
  if (confidential) return ["confidential", "plain"];
  throw new BootstormError("NO_CONFIDENTIAL_VMS", "--compare-plain: all VMs are plain here", {
    why: "no group of guests runs with SNP on this host, so there is nothing to compare",
    remedies: ["bootstorm doctor says what SNP lacks here", "leave out --compare-plain"],
    exit: EXIT.host,
  });
}

function keptWords(measured: number, { path }: RunFolder): string {
  const rounds = counted(measured, "measured round");
  return `${rounds} kept; to read: bootstorm storm --from ${shellWord(path)}`;
}
