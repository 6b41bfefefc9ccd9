import type { ProgramReading, Reading } from "../../core/facts/host-readings.ts";
import { runProgram } from "../exec/run.ts";

/**
 * Is a program installed, and does it start?
 * @param path  where to look for programs, as in the environment variable PATH
 */
export async function readProgram(
  command: string,
  options: { path: string; limitMs: number; signal: AbortSignal },
): Promise<Reading<ProgramReading>> {
  const { limitMs, signal } = options;
  const env = { ...process.env, PATH: options.path };
  const ended = await runProgram(command, ["--version"], { limitMs, signal, env });
  if (ended.status === "missing") return { installed: false };
  // "perf version 6.1.192", "bpftrace v0.17.0", "QEMU emulator version 7.2.22 (Debian 1:7.2+…)"
  const version = /\bv?(\d+\.\d+[\w.-]*)/.exec(ended.stdout)?.[1];
  if (ended.status === "exited" && ended.code === 0 && version !== undefined) {
    return { installed: true, version };
  }
  const said = ended.stderr.trim().split("\n")[0] || `status ${ended.code ?? ended.status}`;
  return { unreadable: `${command} --version: ${said}` };
}
