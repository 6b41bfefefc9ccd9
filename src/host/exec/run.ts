import { spawn } from "node:child_process";

export interface RunLimits {
  readonly limitMs: number;
  readonly signal?: AbortSignal;
  /** Of each stream; default 1 MiB. */
  readonly outputBytesMax?: number;
  readonly env?: NodeJS.ProcessEnv;
  /** Told of standard error as it comes, for work that takes long. */
  onStderr?(piece: Buffer): void;
}

/** How a program of the host ended. Output is cut at `outputBytesMax`, never kept without bound. */
export interface ProgramResult {
  readonly status: "exited" | "timeout" | "signalled" | "missing";
  readonly code: number | undefined;
  readonly stdout: string;
  readonly stderr: string;
}

export type FilterResult = Omit<ProgramResult, "stdout"> & { readonly stdout: Buffer };

/**
 * Runs a program of the host to its end, without a shell.
 * Its process group is killed when the limit passes or `signal` aborts, so nothing outlives it.
 * @returns never rejects for what the program does; `missing` when it is not installed
 */
export async function runProgram(
  command: string,
  args: readonly string[],
  limits: RunLimits,
): Promise<ProgramResult> {
  const { stdout, ...ended } = await runFilter(command, args, undefined, limits);
  return { ...ended, stdout: stdout.toString("utf8") };
}

/** The same with bytes: what the program is to read, if anything, and what it answers. */
export function runFilter(
  command: string,
  args: readonly string[],
  input: Uint8Array | undefined,
  options: RunLimits,
): Promise<FilterResult> {
  const bytesMax = options.outputBytesMax ?? 1 << 20;
  return new Promise((resolve) => {
    const child = spawn(command, args, {
      detached: true,
      stdio: [input === undefined ? "ignore" : "pipe", "pipe", "pipe"],
      env: options.env ?? process.env,
    });
    // A program that ends before it has read everything says why by its status.
    child.stdin?.on("error", () => {});
    child.stdin?.end(input);
    const out: Buffer[] = [];
    const err: Buffer[] = [];
    let timedOut = false;
    const killGroup = () => {
      try {
        if (child.pid !== undefined) process.kill(-child.pid, "SIGKILL");
      } catch {
        // The group is gone already, which is what we want.
      }
    };
    const timer = setTimeout(() => {
      timedOut = true;
      killGroup();
    }, options.limitMs);
    options.signal?.addEventListener("abort", killGroup, { once: true });
    process.once("exit", killGroup);
    const finish = (result: Pick<ProgramResult, "status" | "code">) => {
      clearTimeout(timer);
      options.signal?.removeEventListener("abort", killGroup);
      process.off("exit", killGroup);
      resolve({
        ...result,
        stdout: Buffer.concat(out),
        stderr: Buffer.concat(err).toString("utf8"),
      });
    };
    child.stdout!.on("data", keepUpTo(bytesMax, out));
    child.stderr!.on("data", keepUpTo(bytesMax, err));
    if (options.onStderr !== undefined) child.stderr!.on("data", options.onStderr);
    child.on("error", () => finish({ status: "missing", code: undefined }));
    child.on("close", (code) => {
      if (timedOut) finish({ status: "timeout", code: undefined });
      else if (code === null) finish({ status: "signalled", code: undefined });
      else finish({ status: "exited", code });
    });
  });
}

function keepUpTo(bytesMax: number, chunks: Buffer[]): (chunk: Buffer) => void {
  let kept = 0;
  return (chunk) => {
    const room = bytesMax - kept;
    if (room <= 0) return;
    chunks.push(chunk.subarray(0, room));
    kept += Math.min(room, chunk.length);
  };
}
