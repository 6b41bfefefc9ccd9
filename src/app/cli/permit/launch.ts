// The command of `permit`: it exists before the permit is asked for, so that its process can hold the
// permit, and begins when the permit is there.
import { spawn } from "node:child_process";
import type { Duplex, Readable } from "node:stream";
import { isatty } from "node:tty";
import { BootstormError, EXIT } from "../../../core/error.ts";

/**
 * Waits on file descriptor 3 for a line and becomes the command: the same process, started at the same
 * time. When we are gone before, the line never comes, and it ends.
 */
const GATE = `
command -v -- "$1" >/dev/null || exit 127
echo >&3
read -r _ <&3 || exit 125
exec "$@" 3<&-
`;

/** How a command ended. */
export type CommandEnd =
  | { readonly status: number; readonly signal?: undefined }
  | { readonly signal: NodeJS.Signals; readonly status?: undefined };

export interface Launch {
  readonly pid: number;
  /** Its standard output where it was asked to pass through us. */
  readonly output: Readable | undefined;
  /** The command begins. From then on our signals are its signals. */
  go(): void;
  /** It never begins, or is not to go on. */
  kill(): void;
  /** It has ended, and its output is at its end. Never rejects. */
  readonly ended: Promise<CommandEnd>;
}

const FORWARDED = ["SIGHUP", "SIGINT", "SIGQUIT", "SIGTERM", "SIGUSR1", "SIGUSR2"] as const;

/**
 * Starts the process of a command with our terminal, input, output and surroundings.
 * @param watchOutput  its standard output passes through us
 * @throws BootstormError COMMAND_NOT_STARTED
 */
export async function launch(command: readonly string[], watchOutput: boolean): Promise<Launch> {
  const child = spawn("/bin/sh", ["-c", GATE, "bootstorm", ...command], {
    stdio: ["inherit", watchOutput ? "pipe" : "inherit", "inherit", "pipe"],
  });
  const gate = child.stdio[3] as Duplex;
  // It breaks with the process, whose end tells more.
  gate.on("error", () => undefined);
  const ended = new Promise<CommandEnd>((resolve) => {
    child.once("error", () => resolve({ status: 127 }));
    child.once("close", (status, signal) =>
      resolve(signal === null ? { status: status ?? 0 } : { signal }),
    );
  });
  const forward = (signal: NodeJS.Signals) => {
    // The terminal sends these to all who are before it.
    const wasSent = (signal === "SIGINT" || signal === "SIGQUIT") && [0, 1, 2].some(isatty);
    if (!wasSent) child.kill(signal);
  };
  const isThere = new Promise<true>((resolve) => gate.once("data", () => resolve(true)));
  const first = await Promise.race([isThere, ended]);
  if (first !== true || child.pid === undefined) throw notStarted(command[0]!);
  return {
    pid: child.pid,
    output: child.stdout ?? undefined,
    go() {
      for (const signal of FORWARDED) process.on(signal, forward);
      void ended.then(() => {
        for (const signal of FORWARDED) process.off(signal, forward);
      });
      gate.end("\n");
    },
    kill: () => child.kill("SIGKILL"),
    ended,
  };
}

function notStarted(command: string): BootstormError {
  return new BootstormError("COMMAND_NOT_STARTED", `cannot start ${command}`, {
    why: "there is no such program in PATH, or you may not run it",
    remedies: ["check the words after --"],
    exit: EXIT.usage,
  });
}
