// A crew of pressure processes: started once, ordered through rounds, ended whatever happens.
import type { RoundAsk, RoundResult } from "../../core/analyze/pressure.ts";
import { assert } from "../../core/assert.ts";
import { loadLibc } from "../exec/libc.ts";
import { cpusForPressure } from "./cpus.ts";
import { PAGE_BYTES, type Reply } from "./protocol.ts";
import { forkWorker, type WorkerProcess } from "./worker-process.ts";

export interface Crew {
  /** In the order in which rounds take them. */
  readonly pids: readonly number[];
  /** RLIMIT_MEMLOCK as the workers have it; Infinity when there is none. */
  readonly memlockBytes: number;
  /**
   * Fills and frees once, all processes together. One round at a time.
   * @throws BootstormError with the crew closed: MEMLOCK_TOO_LOW, NO_MEMFD_SECRET, OUT_OF_MEMORY,
   * WORKER_…; the signal's reason when it aborted
   */
  round(ask: RoundAsk): Promise<RoundResult>;
  /** Ends all processes and waits for their end. Calling it again is harmless. */
  close(): Promise<void>;
}

export interface CrewOptions {
  /** The most that a round will use. */
  readonly processes: number;
  /** The most that a round will ask of one process; the workers raise their memory-lock limit to it. */
  readonly pages: number;
  /** How long a worker may take to start, or to answer one order. */
  readonly answerLimitMs: number;
  readonly signal: AbortSignal;
}

/**
 * @throws BootstormError NO_KOFFI, WORKER_…; the signal's reason when it aborted. No process is
 * left then.
 */
export async function startCrew(options: CrewOptions): Promise<Crew> {
  options.signal.throwIfAborted();
  loadLibc(); // fails here with advice rather than in every worker
  const cpus = cpusForPressure();
  const started = Array.from({ length: options.processes }, (_, i) =>
    forkWorker(
      {
        parentPid: process.pid,
        cpu: cpus[i % cpus.length]!,
        memlockBytes: options.processes * options.pages * PAGE_BYTES,
      },
      options.answerLimitMs,
    ),
  );
  const killAll = () => {
    for (const { kill } of started) kill();
  };
  process.once("exit", killAll);
  options.signal.addEventListener("abort", killAll, { once: true });

  async function close(): Promise<void> {
    killAll();
    await Promise.all(started.map(({ ended }) => ended));
    process.off("exit", killAll);
    options.signal.removeEventListener("abort", killAll);
  }

  /** Every failure ends the crew, so that no worker is left in the middle of a round. */
  async function orClose<T>(work: Promise<T>): Promise<T> {
    try {
      return await work;
    } catch (error) {
      await close();
      options.signal.throwIfAborted();
      throw error;
    }
  }

  const workers = await orClose(Promise.all(started.map(({ ready }) => ready)));
  const line = startLine();
  return {
    pids: workers.map(({ pid }) => pid),
    memlockBytes: Math.min(...workers.map((worker) => worker.memlockBytes)),
    round: (ask) => orClose(runRound(workers, ask, line)),
    close,
  };
}

async function runRound(
  workers: readonly WorkerProcess[],
  ask: RoundAsk,
  line: StartLine,
): Promise<RoundResult> {
  assert(ask.processes >= 1, "a round needs a process");
  assert(ask.processes <= workers.length, "a round has no more processes than the crew");
  const { kind, pages, split = { files: 1, delayNs: 0 } } = ask;
  assert(pages % split.files === 0, "files of a round have equal size");
  const team = workers.slice(0, ask.processes);
  await Promise.all(team.map((worker) => worker.ask({ do: "map", kind, pages, ...split })));
  const fill = await line.cross(team, "fill");
  const free = await line.cross(team, "free");
  return {
    ...ask,
    workers: team.map(({ pid, cpu }, i) => ({
      pid,
      cpu,
      fill: fill[i]!.span,
      free: free[i]!.span,
      freePreemptions: free[i]!.preemptions,
      ...(ask.split === undefined ? {} : { delayNs: free[i]!.delayNs }),
    })),
  };
}

type Crossing = Extract<Reply, { said: "done" }>;

interface StartLine {
  /** Lets all workers of a team begin one phase at one instant. */
  cross(team: readonly WorkerProcess[], phase: "fill" | "free"): Promise<Crossing[]>;
}

// The order must have reached every worker before the instant. Sending takes about 20 µs a worker,
// waking one about 100 µs; a busy host takes longer, so the time doubles whenever it was too short.
const LEAD_NS = 1_000_000;
const LEAD_NS_PER_WORKER = 100_000;
const LEAD_FACTOR_MAX = 16;

function startLine(): StartLine {
  let leadFactor = 1;
  return {
    async cross(team, phase) {
      const leadNs = (LEAD_NS + LEAD_NS_PER_WORKER * team.length) * leadFactor;
      const atNs = process.hrtime.bigint() + BigInt(leadNs);
      const replies = await Promise.all(team.map((worker) => worker.ask({ do: phase, atNs })));
      const crossings = replies.map((reply) => {
        assert(reply.said === "done", "a worker that crossed the line says what it did");
        return reply;
      });
      const allInTime = crossings.every(({ inTime }) => inTime);
      if (!allInTime) leadFactor = Math.min(LEAD_FACTOR_MAX, leadFactor * 2);
      return crossings;
    },
  };
}
