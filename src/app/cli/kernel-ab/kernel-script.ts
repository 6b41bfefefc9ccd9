// scripts/build-kernels.sh: which kernels are built, and building them.
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { BootstormError, EXIT, type ExitStatus } from "../../../core/error.ts";
import { runProgram } from "../../../host/exec/run.ts";
import type { Session } from "../run.ts";

const SCRIPT = fileURLToPath(new URL("../../../../scripts/build-kernels.sh", import.meta.url));

/** The command that builds a kernel, as a person types it. */
export const BUILD_COMMAND = "scripts/build-kernels.sh";

/** To look: hashes of what goes in. The source alone has 150 MB. */
const FIND_LIMIT_MS = 120_000;
/** To build: minutes for each configuration, on a slow host with many of them. */
const BUILD_LIMIT_MS = 6 * 3_600_000;

/**
 * @param names  of kernels, as the script knows them
 * @returns the images of those that are built
 * @throws BootstormError NO_KERNEL_SCRIPT, CANNOT_FIND_KERNELS, BAD_KERNEL
 */
export async function findBuiltKernels(
  names: readonly string[],
  { signal }: Pick<Session, "signal">,
): Promise<ReadonlyMap<string, string>> {
  const ended = await runScript(["--find", ...names], signal, FIND_LIMIT_MS);
  // Status 1: at least one is not built.
  if (ended.status !== "exited" || (ended.code !== 0 && ended.code !== 1)) {
    throw scriptFailed("CANNOT_FIND_KERNELS", ended, "cannot find the images of kernels");
  }
  // "no-cpa-lock+lock-stat        ~/.cache/…/no-cpa-lock+lock-stat-2261429305921776/vmlinux"
  const lines = ended.stdout.split("\n").flatMap((line) => {
    const [, name, path] = /^(\S+) +(\/.*)$/.exec(line) ?? [];
    return name === undefined || path === undefined ? [] : [[name, path] as const];
  });
  return new Map(lines);
}

/** @throws BootstormError NO_KERNEL_SCRIPT, KERNEL_NOT_BUILT; the signal's reason when it aborted */
export async function buildKernels(
  names: readonly string[],
  { signal, progress }: Session,
): Promise<void> {
  progress.step(`building ${names.join(", ")}`);
  const ended = await runScript(names, signal, BUILD_LIMIT_MS, (piece) => {
    // "build-kernels: building stock, log in …"
    const last = piece.toString("utf8").trim().split("\n").at(-1) ?? "";
    if (last.startsWith(PREFIX)) progress.step(last.slice(PREFIX.length));
  });
  if (ended.status !== "exited" || ended.code !== 0) {
    throw scriptFailed("KERNEL_NOT_BUILT", ended, "cannot build the kernels");
  }
}

const PREFIX = "build-kernels: ";

async function runScript(
  args: readonly string[],
  signal: AbortSignal,
  limitMs: number,
  onStderr?: (piece: Buffer) => void,
) {
  if (!existsSync(SCRIPT)) {
    throw new BootstormError("NO_KERNEL_SCRIPT", "cannot find kernels by their names", {
      why: `${SCRIPT} is not there: kernels have names where it is, and kernel/ beside it`,
      remedies: ["run it from a checkout", NAME_A_PATH],
      exit: EXIT.host,
    });
  }
  const told = onStderr === undefined ? {} : { onStderr };
  const ended = await runProgram("bash", [SCRIPT, ...args], { limitMs, signal, ...told });
  signal.throwIfAborted();
  return ended;
}

const NAME_A_PATH = "or name a vmlinux or bzImage by its path, such as ./vmlinux";

const EXIT_OF = new Map<number | undefined, ExitStatus>([
  [2, EXIT.usage],
  [3, EXIT.host],
]);

/** What the script says has our form: `build-kernels: WHAT`, `  why: WHY`, `  do:  REMEDY`. */
function scriptFailed(
  code: string,
  { status, code: exit, stderr }: Awaited<ReturnType<typeof runProgram>>,
  otherwise: string,
): BootstormError {
  const all = (label: string) =>
    [...stderr.matchAll(new RegExp(`^${label}(.*)$`, "gm"))].map(([, text]) => text!);
  const what = all(PREFIX).at(-1);
  const why = all("  why: ").at(-1);
  return new BootstormError(code, why === undefined || what === undefined ? otherwise : what, {
    why: why ?? (stderr.trim().split("\n").at(-1) || `${BUILD_COMMAND} ended: ${exit ?? status}`),
    remedies: [...all("  do: {2}"), NAME_A_PATH],
    exit: EXIT_OF.get(exit) ?? EXIT.host,
  });
}
