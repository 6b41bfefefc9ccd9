// The process of a VMM: started so that it cannot outlive us, ended with all that it started.
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import {
  type Duplex,
  getDefaultHighWaterMark,
  type Readable,
  setDefaultHighWaterMark,
} from "node:stream";
import { ownRun, RUN_VARIABLE } from "./leftovers.ts";

/** What a command line uses beside standard output, the console, and standard error. */
export interface Channels {
  /** File descriptor 3 is a socket for the bytes of the debug port. */
  readonly debugPort: boolean;
  /** File descriptor 4 is a socket for QMP, and the VM waits for `cont` (-S). */
  readonly qmp: boolean;
  /** File descriptor 5 is a socket for the firmware's own messages. */
  readonly firmware?: boolean;
}

/** How a VMM's process ended. `startError`: there never was one. */
export interface VmmExit {
  readonly startError?: string;
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface VmmProcess {
  /** Absent when there never was a process. */
  readonly pid: number | undefined;
  readonly console: Readable | undefined;
  readonly stderr: Readable | undefined;
  readonly debugPort: Readable | undefined;
  readonly qmp: Duplex | undefined;
  readonly firmware: Readable | undefined;
  /** Settles when the process has ended. Never rejects. */
  readonly exited: Promise<VmmExit>;
  /** Settles when, after that, all that was in the pipes has been read. Never rejects. */
  readonly closed: Promise<void>;
  /** Kills it and all of its process group; when it has ended, nobody. */
  kill(): void;
}

/** How long pipes may stay open after the VMM's end, in the hands of something that it started. */
const PIPES_GRACE_MS = 1_000;

const NO_EXIT = { code: null, signal: null };

const NO_PROCESS = {
  pid: undefined,
  console: undefined,
  stderr: undefined,
  debugPort: undefined,
  qmp: undefined,
  firmware: undefined,
  closed: Promise.resolve(),
  kill: () => undefined,
};

/** Process groups that end with us at the latest. */
const living = new Set<number>();

let canSetDeathSignal: boolean | undefined;

/**
 * Starts a program as the leader of a process group of its own.
 *
 * It dies with us even when we are killed outright, through `setpriv --pdeathsig` of util-linux; the
 * kernel sends the signal when the thread ends that started it, so call this from a thread that
 * stays. Without setpriv it is left for the next start to find (`leftovers.ts`).
 */
export function startVmm(program: string, args: readonly string[], channels: Channels): VmmProcess {
  canSetDeathSignal ??= deathSignalWorks();
  const [command, ...rest] = canSetDeathSignal
    ? ["setpriv", "--pdeathsig", "KILL", "--", program, ...args]
    : [program, ...args];
  const pipe = (isUsed = false) => (isUsed ? "pipe" : "ignore");
  const { debugPort, qmp, firmware } = channels;
  try {
    // What spawn calls a pipe is a socket pair, which QEMU takes as `-chardev socket,fd=N`.
    const child = withoutReadingAhead(() =>
      spawn(command!, rest, {
        detached: true,
        env: { ...process.env, [RUN_VARIABLE]: ownRun() },
        stdio: ["ignore", "pipe", "pipe", pipe(debugPort), pipe(qmp), pipe(firmware)],
      }),
    );
    return ofChild(child);
  } catch (error) {
    // Words that no program can be given, such as one with a NUL.
    const startError = (error as Error).message;
    return { ...NO_PROCESS, exited: Promise.resolve({ ...NO_EXIT, startError }) };
  }
}

/** Makes streams that read nothing from their pipe while they are paused and have anything. */
function withoutReadingAhead<T>(work: () => T): T {
  const usual = getDefaultHighWaterMark(false);
  setDefaultHighWaterMark(false, 1);
  try {
    return work();
  } finally {
    setDefaultHighWaterMark(false, usual);
  }
}

function ofChild(child: ChildProcess): VmmProcess {
  const { pid } = child;
  // Absent where the process could not be made for lack of file descriptors.
  const pipes = (child.stdio ?? []) as readonly (Duplex | null | undefined)[];
  // Every pipe breaks when the VMM ends, which its exit tells better.
  for (const pipe of pipes) pipe?.on("error", () => undefined);
  const exited = new Promise<VmmExit>((resolve) => {
    child.once("exit", (code, signal) => resolve({ code, signal }));
    child.once("error", ({ message }) => resolve({ ...NO_EXIT, startError: message }));
  });
  const closed = new Promise<void>((resolve) => child.once("close", () => resolve()));
  if (pid === undefined) return { ...NO_PROCESS, exited };

  living.add(pid);
  if (living.size === 1) process.on("exit", killAll);
  child.once("exit", () => {
    killGroup(pid); // What it started may live on.
    living.delete(pid);
    if (living.size === 0) process.off("exit", killAll);
    const closePipes = () => {
      for (const pipe of pipes) pipe?.destroy();
    };
    const timer = setTimeout(closePipes, PIPES_GRACE_MS);
    child.once("close", () => clearTimeout(timer));
  });
  return {
    pid,
    console: pipes[1] ?? undefined,
    stderr: pipes[2] ?? undefined,
    debugPort: pipes[3] ?? undefined,
    qmp: pipes[4] ?? undefined,
    firmware: pipes[5] ?? undefined,
    exited,
    closed,
    kill: () => living.has(pid) && killGroup(pid),
  };
}

function killAll(): void {
  for (const pid of living) killGroup(pid);
}

function killGroup(pid: number): void {
  try {
    process.kill(-pid, "SIGKILL");
  } catch {
    // The group is gone already, which is what we want.
  }
}

/** The setpriv of busybox has the name and lacks the option. */
function deathSignalWorks(): boolean {
  const args = ["--pdeathsig", "KILL", "--", "true"];
  return spawnSync("setpriv", args, { stdio: "ignore" }).status === 0;
}
