import { spawn } from "node:child_process";
import { BootstormError, EXIT } from "../../core/error.ts";

/** How long a command may take to end itself after SIGTERM. */
const GRACE_MS = 2_000;

/**
 * Runs a person's command while we do something else, until it ends, the limit passes or `signal`
 * aborts. It shares our terminal; what it prints goes to standard error, so that standard output
 * stays ours. What it started ends with us too, unless we are killed outright.
 * @returns its exit status, the name of the signal that ended it, or `limit`
 * @throws BootstormError COMMAND_NOT_STARTED
 */
export function runBeside(
  [command, ...args]: readonly [string, ...string[]],
  { signal, limitMs }: { signal: AbortSignal; limitMs?: number },
): Promise<number | NodeJS.Signals | "limit"> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: ["inherit", 2, 2], detached: true });
    const timers: NodeJS.Timeout[] = [];
    let limitPassed = false;
    const end = (how: NodeJS.Signals) => {
      try {
        if (child.pid !== undefined) process.kill(-child.pid, how);
      } catch {
        // The group is gone already.
      }
    };
    const endHard = () => end("SIGKILL");
    const endSoftly = () => {
      end("SIGTERM");
      timers.push(setTimeout(endHard, GRACE_MS));
    };
    const forget = () => {
      for (const timer of timers) clearTimeout(timer);
      signal.removeEventListener("abort", endSoftly);
      process.off("exit", endHard);
    };
    if (limitMs !== undefined) {
      const onLimit = () => {
        limitPassed = true;
        endSoftly();
      };
      timers.push(setTimeout(onLimit, limitMs));
    }
    signal.addEventListener("abort", endSoftly, { once: true });
    process.once("exit", endHard);
    child.on("error", (error) => {
      forget();
      reject(notStarted(command, error));
    });
    child.on("close", (code, by) => {
      forget();
      resolve(limitPassed ? "limit" : (code ?? by ?? 0));
    });
  });
}

function notStarted(command: string, error: NodeJS.ErrnoException): BootstormError {
  const reasons: Record<string, string> = {
    ENOENT: "there is no such program in PATH",
    EACCES: "it is no program, or you may not run it",
  };
  return new BootstormError("COMMAND_NOT_STARTED", `cannot start ${command}`, {
    why: reasons[error.code ?? ""] ?? error.message,
    remedies: ["check the words after --"],
    exit: EXIT.usage,
  });
}
