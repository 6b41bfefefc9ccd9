// The governor of a round: a daemon of our own, fresh and with every default, or one that runs already.
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { BootstormError, EXIT } from "../../../core/error.ts";
import { onLeash } from "../../../host/exec/leash.ts";
import { ownRun, type Register, RUN_VARIABLE, stateFolder } from "../../../host/qemu/leftovers.ts";
import { cannotWrite } from "../../../host/store/atomic.ts";

export interface RunningGovernor {
  readonly socketPath: string;
  /** Leaves one of others as it is. */
  end(): Promise<void>;
}

const PROGRAM = fileURLToPath(new URL("../main.js", import.meta.url));

const START_LIMIT_MS = 30_000;
const END_LIMIT_MS = 5_000;
/** Longer than any round; only where the kernel cannot end the daemon with us. */
const LIFE_LIMIT_MS = 86_400_000;
const SAID_MAX = 4_096;

/** One that somebody else has started. */
export function runningGovernor(socketPath: string): RunningGovernor {
  return { socketPath, end: async () => undefined };
}

/**
 * Starts a daemon with every default, which knows nothing of boots before. It ends with us at the
 * latest. Its socket and state are in the run folder, because the path of a socket must be short.
 * @throws BootstormError GOVERNOR_NOT_STARTED
 */
export async function startOwnGovernor(register: Register): Promise<RunningGovernor> {
  const folder = temporaryFolder();
  register.path(folder);
  const socketPath = join(folder, "govern.sock");
  const words = ["govern", "--quiet", "--socket", socketPath, "--state", folder];
  const [command, args] = onLeash(process.execPath, [PROGRAM, ...words], LIFE_LIMIT_MS);
  const child = spawn(command, args, {
    detached: true, // Ctrl-C is for us: we end it when its round is over.
    stdio: ["ignore", "ignore", "pipe"],
    env: { ...process.env, [RUN_VARIABLE]: ownRun() },
  });
  const ended = new Promise<void>((resolve) => {
    child.once("close", () => resolve());
    child.once("error", () => resolve());
  });
  const end = async () => {
    child.kill("SIGTERM");
    const limit = setTimeout(() => child.kill("SIGKILL"), END_LIMIT_MS);
    await ended;
    clearTimeout(limit);
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    if (child.pid !== undefined) register.process(child.pid);
    await listening(child, ended);
  } catch (error) {
    await end();
    throw error;
  }
  return { socketPath, end };
}

function temporaryFolder(): string {
  const base = join(stateFolder(), "storm-");
  try {
    return mkdtempSync(base);
  } catch (error) {
    throw cannotWrite(base, error as NodeJS.ErrnoException);
  }
}

/** @throws BootstormError GOVERNOR_NOT_STARTED */
async function listening({ stderr }: ChildProcess, ended: Promise<void>): Promise<void> {
  let said = "";
  const heard = new Promise<boolean>((resolve) => {
    const limit = setTimeout(() => resolve(false), START_LIMIT_MS);
    stderr?.setEncoding("utf8").on("data", (text: string) => {
      said = (said + text).slice(-SAID_MAX);
      if (!said.includes("listens on")) return;
      clearTimeout(limit);
      resolve(true);
    });
    void ended.then(() => {
      clearTimeout(limit);
      resolve(false);
    });
  });
  if (await heard) return;
  throw new BootstormError("GOVERNOR_NOT_STARTED", "cannot start a governor for this round", {
    why: said.trim() || `it says nothing within ${START_LIMIT_MS / 1000} s`,
    remedies: ["name one that runs: --govern=SOCKET"],
    exit: EXIT.host,
  });
}
