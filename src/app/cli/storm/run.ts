// A whole storm: rounds in random order, each recorded, each on disk as soon as it is over.
import { mkdir } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import type { Missing } from "../../../core/analyze/investigate.ts";
import type { BootRound } from "../../../core/event/boot.ts";
import { roundLine, roundsHeaderLine } from "../../../core/event/boot-codec.ts";
import { writeTrace } from "../../../core/event/codec.ts";
import type { Trace } from "../../../core/event/schema.ts";
import type { Arrivals } from "../../../core/scenario/scenario.ts";
import { openRegister } from "../../../host/qemu/leftovers.ts";
import type { RunFolder } from "../../../host/store/run-folder.ts";
import { recordDuring } from "../recording.ts";
import type { Session } from "../run.ts";
import type { StormMachine } from "./machine.ts";
import { planRounds, type RoundAsk, type StormPlan } from "./plan.ts";
import { startPressure } from "./pressure.ts";
import { runRound } from "./round.ts";

export interface StormOptions extends StormPlan {
  readonly arrivals: Arrivals;
  /** Direct-map pressure processes beside. */
  readonly pressure: number;
  readonly afterReady: "end" | "stay";
}

export interface StormRun {
  readonly rounds: readonly BootRound[];
  /** Lock waits of rounds, by index. */
  readonly traces: readonly { readonly round: number; readonly trace: Trace }[];
}

/** What a console may leave on disk, each. */
const CONSOLE_BYTES_MAX = 1 << 20;

/**
 * Runs every round of the plan.
 * @param notRecorded  why lock waits cannot be recorded; undefined: they are
 * @throws the signal's reason when it aborted; no VM is left then
 */
export async function runStorm(
  session: Session,
  machine: StormMachine,
  options: StormOptions,
  folder: RunFolder,
  notRecorded: Missing | undefined,
): Promise<StormRun> {
  const asks = planRounds(options);
  const rounds: BootRound[] = [];
  const traces: { round: number; trace: Trace }[] = [];
  const register = openRegister();
  const pressure =
    options.pressure === 0 ? undefined : await startPressure(options.pressure, session.signal);
  const boots = asks.reduce((sum, { vms }) => sum + vms, 0);
  let booted = 0;

  const bootRound = async (ask: RoundAsk, index: number) => {
    const round = String(index).padStart(3, "0");
    const path = join(folder.path, "rounds", round);
    await mkdir(path, { recursive: true, mode: 0o700 });
    rounds.push(
      await runRound(ask, {
        machine,
        arrivals: options.arrivals,
        seed: options.seed + index,
        folder: path,
        readyTimeoutMs: readyTimeoutMs(machine, ask.vms),
        consoleBytesMax: CONSOLE_BYTES_MAX,
        pressure: options.pressure,
        afterReady: options.afterReady,
        signal: session.signal,
        onVm: (pid) => register.process(pid),
        onBoot: () => {
          booted += 1;
          session.progress.step(describe(ask), booted / boots);
        },
      }),
    );
  };

  try {
    await folder.append("rounds.jsonl", roundsHeaderLine());
    for (const [index, ask] of asks.entries()) {
      session.progress.step(describe(ask), booted / boots);
      if (notRecorded === undefined) {
        const stacks = ask.role === "recorded";
        const trace = await recordDuring({ stacks }, () => bootRound(ask, index));
        traces.push({ round: index, trace });
        await folder.write(`waits-${index}.bst`, writeTrace(trace));
      } else {
        await bootRound(ask, index);
      }
      await folder.append("rounds.jsonl", roundLine(rounds[index]!));
    }
    return { rounds, traces };
  } finally {
    await pressure?.stop().catch(() => {});
    register.close();
  }
}

/** Boots that share CPUs take longer, each in proportion. */
function readyTimeoutMs({ vcpus, readyTimeoutS }: StormMachine, vms: number): number {
  return readyTimeoutS * 1000 * Math.max(1, (vms * vcpus) / availableParallelism());
}

function describe({ vms, limit, role }: RoundAsk): string {
  const what = `booting ${vms} VM${vms === 1 ? "" : "s"}`;
  const how = limit.name === "none" ? "" : `, limit ${limit.name}`;
  return role === "warm-up" ? `${what} to warm up` : `${what}${how}`;
}
