// A whole storm: rounds in random order, each recorded, each on disk as soon as it is over.
import { mkdir, rm } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import type { Missing } from "../../../core/analyze/investigate.ts";
import type { BootRound } from "../../../core/event/boot.ts";
import { roundLine, roundsHeaderLine } from "../../../core/event/boot-codec.ts";
import { writeTrace } from "../../../core/event/codec.ts";
import type { Arrivals } from "../../../core/scenario/scenario.ts";
import { openRegister, type Register } from "../../../host/qemu/leftovers.ts";
import { cannotWrite } from "../../../host/store/atomic.ts";
import type { RunFolder } from "../../../host/store/run-folder.ts";
import { recordDuring } from "../recording/record.ts";
import type { Session } from "../run.ts";
import { type Admission, policyAdmission } from "./admission.ts";
import { governAdmission } from "./govern-admission.ts";
import { type RunningGovernor, runningGovernor, startOwnGovernor } from "./governor-process.ts";
import type { StormMachine } from "./machine.ts";
import { type Limit, planRounds, type RoundAsk, type StormPlan } from "./plan.ts";
import { startPressure } from "./pressure.ts";
import { runRound } from "./round.ts";
import { ROUNDS_FILE, waitsFile } from "./run-file.ts";

export interface StormOptions extends StormPlan {
  readonly arrivals: Arrivals;
  readonly afterReady: "end" | "stay";
}

export interface StormCourse {
  readonly machine: StormMachine;
  readonly options: StormOptions;
  readonly folder: RunFolder;
  /** Why lock waits cannot be recorded; undefined: they are. */
  readonly notRecorded: Missing | undefined;
  /**
   * Each combination is measured once; after that nothing is begun that would take longer than this
   * since the start, to judge by what it took before.
   */
  readonly budgetMs?: number;
  /** A round is on disk. */
  onRound?(round: BootRound): void;
}

/** What a console may leave on disk, each. */
const CONSOLE_BYTES_MAX = 1 << 20;

/**
 * Runs every round of the plan.
 * @throws the signal's reason when it aborted; BootstormError CANNOT_WRITE, and as `startCrew`. No VM
 *   is left then, and every round that was whole is on disk
 */
export async function runStorm(session: Session, course: StormCourse): Promise<void> {
  const { folder, options, budgetMs = Number.POSITIVE_INFINITY } = course;
  const asks = planRounds(options);
  const boots = asks.reduce((sum, { vms }) => sum + vms, 0);
  let booted = 0;
  const tell = (ask: RoundAsk) => session.progress.step(describe(ask), booted / boots);
  const register = openRegister();
  try {
    const rounds = await folder.makeFolder("rounds");
    await folder.append(ROUNDS_FILE, roundsHeaderLine());
    const budget = createBudget(budgetMs);
    for (const [index, ask] of asks.entries()) {
      if (!budget.allows(asks, index)) break;
      tell(ask);
      const round = await recordRound(session, course, register, {
        ask,
        index,
        path: join(rounds, String(index).padStart(3, "0")),
        onBoot() {
          booted += 1;
          tell(ask);
        },
      });
      course.onRound?.(round);
    }
  } finally {
    register.close();
  }
}

interface Step {
  readonly ask: RoundAsk;
  readonly index: number;
  readonly path: string;
  onBoot(): void;
}

/** A round with all that is kept of it; nothing of one that is not whole. */
async function recordRound(
  session: Session,
  course: StormCourse,
  register: Register,
  step: Step,
): Promise<BootRound> {
  const { folder, notRecorded } = course;
  let round: BootRound | undefined;
  const work = async () => {
    round = await bootRound(session, course, register, step);
  };
  try {
    await mkdir(step.path, { mode: 0o700 }).catch((error) => {
      throw cannotWrite(step.path, error);
    });
    const stacks = step.ask.role === "recorded";
    const trace = notRecorded === undefined ? await recordDuring({ stacks }, work) : await work();
    await folder.append(ROUNDS_FILE, roundLine(round!));
    if (trace) await folder.write(waitsFile(step.index), writeTrace(trace));
    return round!;
  } catch (error) {
    if (round === undefined) await rm(step.path, { recursive: true, force: true });
    throw error;
  }
}

async function bootRound(
  { signal }: Session,
  { machine, options }: StormCourse,
  register: Register,
  { ask, path, onBoot }: Step,
): Promise<BootRound> {
  const pressure = ask.pressure === 0 ? undefined : await startPressure(ask.pressure, signal);
  try {
    const governor = await governorOf(ask.limit, register);
    const admission = (originNs: bigint): Admission =>
      governor === undefined
        ? policyAdmission(ask.limit, machine, originNs)
        : governAdmission(governor, machine);
    return await runRound(ask, {
      machine,
      admission,
      arrivals: options.arrivals,
      seed: options.seed + ask.repetition,
      folder: path,
      readyTimeoutMs: readyTimeoutMs(machine, ask.vms),
      consoleBytesMax: CONSOLE_BYTES_MAX,
      afterReady: options.afterReady,
      signal: pressure === undefined ? signal : AbortSignal.any([signal, pressure.failed]),
      onVm: register.process,
      onBoot,
    });
  } finally {
    await pressure?.stop();
  }
}

/** @throws BootstormError GOVERNOR_NOT_STARTED */
async function governorOf(
  { governor }: Limit,
  register: Register,
): Promise<RunningGovernor | undefined> {
  if (governor === undefined) return undefined;
  const { socket } = governor;
  return socket === undefined ? startOwnGovernor(register) : runningGovernor(socket);
}

/** Boots that share CPUs take longer, each in proportion. */
function readyTimeoutMs({ demandOf, readyTimeoutS }: StormMachine, vms: number): number {
  const vcpus = demandOf(vms).reduce((sum, demand) => sum + demand.vms * demand.vcpus, 0);
  return readyTimeoutS * 1000 * Math.max(1, vcpus / availableParallelism());
}

/** Every combination once, and then again only as long as the time allows. */
function createBudget(budgetMs: number) {
  const startMs = performance.now();
  let blockMs = startMs;
  let longestMs = 0;
  return {
    allows(asks: readonly RoundAsk[], index: number): boolean {
      const [ask, before] = [asks[index]!, asks[index - 1]];
      if (before === undefined) return true;
      if (before.role === ask.role && before.repetition === ask.repetition) return true;
      const nowMs = performance.now();
      longestMs = Math.max(longestMs, nowMs - blockMs);
      blockMs = nowMs;
      const isFirst = ask.role === "measured" && ask.repetition === 0;
      return isFirst || nowMs - startMs + longestMs <= budgetMs;
    },
  };
}

function describe({ vms, limit, pressure, role }: RoundAsk): string {
  const what = `booting ${vms} VM${vms === 1 ? "" : "s"}`;
  if (role === "warm-up") return `${what} to warm up`;
  const how = limit.name === "none" ? "" : `, limit ${limit.name}`;
  return pressure === 0 ? `${what}${how}` : `${what}${how}, pressure ${pressure}`;
}
