import { spawn } from "node:child_process";

/** How a program of the host ended. Output is cut at `outputBytesMax`, never kept without bound. */
export interface ProgramResult {
  readonly status: "exited" | "timeout" | "signalled" | "missing";
  readonly code: number | undefined;
  readonly stdout: string;
  readonly stderr: string;
}

/**
 * Runs a program of the host to its end, without a shell.
 * Its process group is killed when the limit passes or `signal` aborts, so nothing outlives it.
 * @returns never rejects for what the program does; `missing` when it is not installed
 */
export function runProgram(
  command: string,
  args: readonly string[],
  options: {
    limitMs: number;
    signal?: AbortSignal;
    outputBytesMax?: number;
    env?: NodeJS.ProcessEnv;
  },
): Promise<ProgramResult> {
  const bytesMax = options.outputBytesMax ?? 1 << 20;
  return new Promise((resolve) => {
    const child = spawn(command, args, {
      detached: true,
      stdio: ["ignore", "pipe", "pipe"],
      env: options.env ?? process.env,
    });
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
      resolve({ ...result, stdout: textOf(out), stderr: textOf(err) });
    };
    child.stdout.on("data", keepUpTo(bytesMax, out));
    child.stderr.on("data", keepUpTo(bytesMax, err));
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

function textOf(chunks: readonly Buffer[]): string {
  return Buffer.concat(chunks).toString("utf8");
}
