import { once } from "node:events";
import { createInterface } from "node:readline/promises";

/**
 * Asks a person on the terminal. Only `y` and `yes` agree; the end of input (Ctrl-D) does not.
 * @returns `nobody` when standard input or standard error is no terminal
 * @throws AbortError when `signal` aborts
 */
export async function askYesNo(
  question: string,
  signal: AbortSignal,
): Promise<"yes" | "no" | "nobody"> {
  if (process.stdin.isTTY !== true || process.stderr.isTTY !== true) return "nobody";
  // The terminal edits the line itself, and so Ctrl-C stays a signal.
  const streams = { input: process.stdin, output: process.stderr, terminal: false };
  const terminal = createInterface(streams);
  try {
    const ended = once(terminal, "close", { signal }).then(() => "");
    const answered = terminal.question(`${question} [y/N] `, { signal });
    return /^y(es)?$/i.test((await Promise.race([answered, ended])).trim()) ? "yes" : "no";
  } finally {
    terminal.close();
  }
}
