import { createInterface } from "node:readline/promises";

/**
 * Asks a person on the terminal. Only `y` and `yes` agree.
 * @returns `nobody` when standard input or standard error is no terminal
 */
export async function askYesNo(question: string): Promise<"yes" | "no" | "nobody"> {
  if (process.stdin.isTTY !== true || process.stderr.isTTY !== true) return "nobody";
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  try {
    const answer = await terminal.question(`${question} [y/N] `);
    return /^y(es)?$/i.test(answer.trim()) ? "yes" : "no";
  } finally {
    terminal.close();
  }
}
