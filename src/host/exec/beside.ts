import { spawn } from "node:child_process";
import { BootstormError, EXIT } from "../../core/error.ts";

/**
 * Runs a person's command while we do something else, until it ends or `signal` aborts.
 * It shares our terminal; what it prints goes to standard error, so that standard output stays
 * ours. Its process group ends with us.
 * @returns its exit status, or the name of the signal that ended it
 * @throws BootstormError COMMAND_NOT_STARTED
 */
export function runBeside(
  [command, ...args]: readonly [string, ...string[]],
  signal: AbortSignal,
): Promise<number | NodeJS.Signals> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: ["inherit", 2, 2], detached: true });
    const end = (how: NodeJS.Signals) => {
      try {
        if (child.pid !== undefined) process.kill(-child.pid, how);
      } catch {
        // The group is gone already.
      }
    };
    const endSoftly = () => end("SIGTERM");
    const endHard = () => end("SIGKILL");
    signal.addEventListener("abort", endSoftly, { once: true });
    process.once("exit", endHard);
    child.on("error", (error) => reject(notStarted(command, error)));
    child.on("close", (code, by) => {
      signal.removeEventListener("abort", endSoftly);
      process.off("exit", endHard);
      resolve(code ?? by ?? 0);
    });
  });
}

function notStarted(command: string, error: NodeJS.ErrnoException): BootstormError {
  const missing = error.code === "ENOENT";
  return new BootstormError("COMMAND_NOT_STARTED", `cannot start ${command}`, {
    why: missing ? "there is no such program in PATH" : error.message,
    remedies: ["check the words after --"],
    exit: EXIT.usage,
  });
}
