// A real storm beside the plan: rounds of one VM, of a few and of all, with and without the cap, in one
// random order. What one needed alone, and what a few needed more, predicts all of them.
import { availableParallelism } from "node:os";
import { measuresOf } from "../../../core/analyze/boot-changes.ts";
import { isReady, serviceNs } from "../../../core/analyze/boot-phases.ts";
import { isComplete } from "../../../core/analyze/boot-points.ts";
import { BootstormError, EXIT } from "../../../core/error.ts";
import type { BootRecord, BootRound } from "../../../core/event/boot.ts";
import {
  type Confirmation,
  gainOf,
  neighboursOf,
  stormOfBoots,
} from "../../../core/plan/confirm.ts";
import { meanOf, type Planned, planned } from "../../../core/plan/planned.ts";
import type { Scenario } from "../../../core/scenario/scenario.ts";
import { readMemAvailable } from "../../../host/probe/round-load.ts";
import type { RunFolder } from "../../../host/store/run-folder.ts";
import type { Session } from "../run.ts";
import { requireCapacity } from "../storm/capacity.ts";
import { endLeftovers } from "../storm/leftovers.ts";
import { prepareMachine } from "../storm/machine.ts";
import { limitOf, NO_LIMIT } from "../storm/plan.ts";
import { runStorm, type StormCourse, type StormOptions } from "../storm/run.ts";
import { RUN_FILE, readRun, runFileText } from "../storm/run-file.ts";
import { NOT_ASKED, runNotes } from "../storm/words.ts";
import { openSimulator } from "./simulator.ts";
import { stormOf } from "./storms.ts";

/** Many enough to share the CPUs, few enough for a minute. */
const VMS_PER_CPU = 4;
/** At once, to see what sharing a CPU costs; half of those that are predicted. */
const SHARING_PER_CPU = 2;

export interface ConfirmQuestion {
  /** As it was named. */
  readonly file: string;
  readonly scenario: Scenario;
  readonly cap: number;
  /** Of each kind. */
  readonly rounds: number;
}

/** Numbers of VMs of the rounds. */
interface Sizes {
  readonly vms: number;
  readonly sharing: number;
}

/** @throws BootstormError NOT_CONFIRMABLE, before anything is booted or planned */
export function requireConfirmable(file: string, { guests }: Scenario): void {
  if (guests.length === 1 && guests[0]!.machine !== undefined) return;
  const why =
    guests.length > 1
      ? "a storm of several groups is not predicted from one boot"
      : "it says nothing of a machine, so there is no VM to boot";
  throw new BootstormError("NOT_CONFIRMABLE", `--confirm: ${file} cannot be booted and predicted`, {
    why,
    remedies: [
      "plan one group of guests with guests[0].machine, such as: bootstorm plan tiny --confirm",
    ],
    exit: EXIT.usage,
  });
}

/** The host that is modelled where real VMs are to confirm it: this one. */
export function thisHost(scenario: Scenario): Scenario {
  const cpus = availableParallelism();
  const { host } = scenario;
  return { ...scenario, host: { ...host, cpus, sockets: 1, coresPerL3: cpus, smt: 1 } };
}

/**
 * @param folder  gets the run
 * @throws BootstormError as `storm` does, and NOTHING_READY
 */
export async function confirm(
  session: Session,
  question: ConfirmQuestion,
  folder: RunFolder,
): Promise<Confirmation> {
  const cpus = availableParallelism();
  const vms = Math.max(question.cap + 1, VMS_PER_CPU * cpus);
  const sizes = { vms, sharing: SHARING_PER_CPU * cpus };
  const rounds = await bootRounds(session, question, sizes, folder);
  return confirmationOf(session, question, { sizes, rounds, folder: folder.path });
}

/** What rounds say of the prediction that is made of some of them. @throws BootstormError NOTHING_READY */
export async function confirmationOf(
  session: Session,
  question: ConfirmQuestion,
  run: {
    readonly sizes: Sizes;
    /** Measured ones. */
    readonly rounds: readonly BootRound[];
    readonly folder: string;
  },
): Promise<Confirmation> {
  const { sizes, rounds, folder } = run;
  const complete = rounds.filter(isComplete);
  const isFree = ({ limit }: BootRound) => limit === NO_LIMIT.name;
  const alone = complete.filter(({ vms }) => vms === 1);
  const sharing = complete.filter((round) => round.vms === sizes.sharing && isFree(round));
  const without = complete.filter((round) => round.vms === sizes.vms && isFree(round));
  const capped = complete.filter((round) => round.vms === sizes.vms && !isFree(round));
  if ([alone, sharing, without, capped].some((some) => some.length === 0)) {
    throw nothingReady(folder);
  }
  const { predicted, from, gainFromAlone } = await predict(session, question, {
    sizes,
    alone,
    sharing,
  });
  const gain = { predicted: predicted.gain, measured: measuredGain(without, capped) };
  return {
    vms: sizes.vms,
    cap: question.cap,
    rounds: Math.min(without.length, capped.length),
    failed: rounds.flatMap(({ boots }) => boots).filter((boot) => !isReady(boot)).length,
    from,
    otherCpus: { alone: otherCpus(alone), storm: otherCpus([...without, ...capped]) },
    without: { predicted: predicted.without, measured: meansMs(without) },
    with: { predicted: predicted.with, measured: meansMs(capped) },
    gain,
    gainFromAlone,
    pointsOff: 100 * (gain.measured.value - gain.predicted.value),
    folder,
  };
}

function nothingReady(path: string): BootstormError {
  return new BootstormError("NOTHING_READY", "too few rounds in which every VM got ready", {
    why: "there is nothing to predict from, or to compare with",
    remedies: [`bootstorm storm --from ${path} says why boots failed`],
    exit: EXIT.host,
  });
}

/** Measured rounds, as they are on disk. */
async function bootRounds(
  session: Session,
  { file, scenario, cap, rounds: repetitions }: ConfirmQuestion,
  { vms, sharing }: Sizes,
  folder: RunFolder,
): Promise<readonly BootRound[]> {
  await endLeftovers(session);
  const machine = await prepareMachine(session, scenario.guests);
  const options: StormOptions = {
    vms: [...new Set([1, sharing, vms])],
    limits: [NO_LIMIT, limitOf(String(cap))!],
    kinds: [machine.confidential ? "confidential" : "plain"],
    pressures: [0],
    repetitions,
    warmUps: 1,
    witness: false,
    seed: scenario.run.seed,
    arrivals: { kind: "together" },
    afterReady: "end",
  };
  requireCapacity(machine.demandOf(vms), {
    cpus: availableParallelism(),
    memAvailableBytes: readMemAvailable(),
  });
  const course: StormCourse = { machine, options, folder, notRecorded: NOT_ASKED };
  await folder.write(RUN_FILE, runFileText(runNotes(file, scenario, { record: false }, course)));
  await runStorm(session, course);
  const { rounds } = await readRun(folder.path);
  return rounds.filter(({ role }) => role === "measured");
}

/** From means of the boots; the ends of the ranges from the quickest and the slowest boot alone. */
async function predict(
  session: Session,
  { scenario, cap }: ConfirmQuestion,
  known: {
    readonly sizes: Sizes;
    readonly alone: readonly BootRound[];
    readonly sharing: readonly BootRound[];
  },
) {
  const { vms } = known.sizes;
  const boots = known.alone.flatMap((round) => round.boots);
  const [ready, cpu] = [boots.map(serviceNs), boots.map(cpuNsOf)];
  const together = meanOf(known.sharing.flatMap((round) => round.boots).map(cpuNsOf));
  const sharing = Math.max(1, together / meanOf(cpu));
  const neighbours = neighboursOf(otherCpus(known.alone), scenario.host.cpus);
  const simulator = openSimulator(session, new Map());
  const predictFrom = async (of: (values: readonly number[]) => number, shared = sharing) => {
    const work = { cpuNs: of(cpu), waitNs: 0, sharing: shared, neighbours };
    const one = stormOfBoots(scenario, work, { vms: 1, atOnce: 1 });
    const { makespanNs } = await simulator.run(one);
    const boot = { ...work, waitNs: Math.max(0, of(ready) - makespanNs) };
    const meanMs = async (limit: number | undefined) => {
      const storm = stormOfBoots(scenario, boot, { vms, atOnce: limit ?? vms });
      const arrivals = { kind: "together" } as const;
      const { bootsNs } = await simulator.run(stormOf(storm, vms, { cap: limit, arrivals }));
      return meanOf(Array.from(bootsNs)) / 1e6;
    };
    const without = await meanMs(undefined);
    const capped = await meanMs(cap);
    return { without, with: capped, gain: gainOf(without, capped) };
  };
  try {
    const own = await predictFrom(meanOf);
    const low = await predictFrom((values) => Math.min(...values));
    const high = await predictFrom((values) => Math.max(...values));
    const range = (key: keyof typeof own) => planned(own[key], [low[key], high[key]]);
    const ms = (values: readonly number[]) =>
      planned(
        meanOf(values) / 1e6,
        values.map((ns) => ns / 1e6),
      );
    return {
      predicted: { without: range("without"), with: range("with"), gain: range("gain") },
      gainFromAlone: (await predictFrom(meanOf, 1)).gain,
      from: {
        boots: boots.length,
        cpuMs: ms(cpu),
        readyMs: ms(ready),
        sharingVms: known.sizes.sharing,
        sharing,
        neighbours,
      },
    };
  } finally {
    await simulator.end();
  }
}

/** Where nobody could read it, all of a boot is taken for work. */
function cpuNsOf(boot: BootRecord): number {
  return boot.cpuNs ?? serviceNs(boot);
}

function meansMs(rounds: readonly BootRound[]): Planned {
  const means = rounds.map((round) => measuresOf(round).mean / 1e6);
  return planned(meanOf(means), means);
}

/** Of rounds of one repetition, which ran near each other in time; the range is that of the pairs. */
function measuredGain(without: readonly BootRound[], capped: readonly BootRound[]): Planned {
  const mean = (rounds: readonly BootRound[]) => meanOf(rounds.map((one) => measuresOf(one).mean));
  const pairs = capped.flatMap((round) => {
    const beside = without.find(({ repetition }) => repetition === round.repetition);
    return beside === undefined ? [] : [gainOf(mean([beside]), mean([round]))];
  });
  return planned(gainOf(mean(without), mean(capped)), pairs);
}

/** CPUs that others than the VMs kept busy, on average. */
function otherCpus(rounds: readonly BootRound[]): number {
  const sum = (of: (round: BootRound) => number) =>
    rounds.reduce((total, round) => total + of(round), 0);
  return sum(({ load }) => load.otherCpuNs) / sum(({ spanNs }) => Math.max(1, spanNs));
}
