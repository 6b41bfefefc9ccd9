// A command under a permit: waits, runs it, gives the permit back when its VM is ready.
import { BootstormError, EXIT } from "../../../core/error.ts";
import { formatNs } from "../../../core/units.ts";
import { processTree } from "../../../host/cgroup/members.ts";
import { processUsage } from "../../../host/cgroup/usage.ts";
import { startTicksOf } from "../../../host/exec/start-time.ts";
import { type KeptPermit, keepPermit, type Outcome } from "../../../host/governor/client.ts";
import type { Progress } from "../progress.ts";
import { type Asking, decide, type Go } from "./decide.ts";
import { type CommandEnd, type Launch, launch } from "./launch.ts";
import { type Boot, type ReadyHow, watchBoot } from "./ready.ts";

export interface PermitRun {
  readonly command: readonly string[];
  readonly asking: Omit<Asking, "signal" | "progress">;
  readonly ready: ReadyHow;
  readonly bootLimitMs: number;
  readonly progress: Progress;
}

export interface PermitRunResult {
  readonly decision: Go["decision"];
  readonly waitedMs: number;
  /** Why nobody decided. */
  readonly why?: string;
  readonly boot: { readonly outcome: Boot; readonly bootMs: number; readonly cpuMs?: number };
  readonly command: CommandEnd;
}

/** How long the end may wait for a governor that does not answer. */
const RELEASE_LIMIT_MS = 2_000;

/**
 * Runs a command once it has its permit.
 * @throws BootstormError NO_PERMIT, INTERRUPTED, COMMAND_NOT_STARTED; then it has not begun
 */
export async function runWithPermit(run: PermitRun): Promise<PermitRunResult> {
  const { command, ready, progress } = run;
  const launched = await launch(command, ready.kind === "console");
  const askedMs = performance.now();
  const go = await waitForPermit(run, launched);
  const waitedMs = performance.now() - askedMs;
  progress.clear();
  const kept = go.decision === "granted" ? keep(run, go) : undefined;
  passOutput(launched);
  const watched = watchBoot(ready, launched, run.bootLimitMs);
  const startMs = performance.now();
  launched.go();
  const boot = await watched;
  const bootMs = performance.now() - startMs;
  const told = { bootMs, ...cpuMsOf(launched) };
  const released = release(run, kept, { outcome: boot, ...told });
  const end = await launched.ended;
  await released;
  const why = go.decision === "open" ? { why: go.why } : {};
  return {
    decision: go.decision,
    waitedMs,
    ...why,
    boot: { outcome: boot, ...told },
    command: end,
  };
}

/** Of what has ended, or has left the command's tree as a daemon does, nobody knows. */
function cpuMsOf({ pid }: Launch): { readonly cpuMs?: number } {
  const tree = processTree(pid);
  if (tree.size === 0) return {};
  const { userNs, systemNs } = processUsage(tree);
  return { cpuMs: (userNs + systemNs) / 1e6 };
}

/** While it waits, a signal gives up, and so does the end of the process that waits for us. */
async function waitForPermit({ asking, progress }: PermitRun, launched: Launch): Promise<Go> {
  const over = new AbortController();
  const giveUp = () => over.abort(interrupted());
  const signals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
  for (const signal of signals) process.on(signal, giveUp);
  void launched.ended.then(giveUp);
  try {
    const { wish, address } = asking;
    const { pid } = launched;
    const startTicks = startTicksOf(pid);
    // Beyond a network there are other processes by these numbers.
    const isHere = address.kind === "socket" && startTicks !== undefined;
    const held = isHere ? { ...wish, holder: { pid, startTicks } } : wish;
    return await decide({ ...asking, wish: held, signal: over.signal, progress });
  } catch (error) {
    launched.kill();
    throw error;
  } finally {
    for (const signal of signals) process.off(signal, giveUp);
  }
}

function keep(
  { asking: { address }, progress }: PermitRun,
  { permit }: Go & { readonly decision: "granted" },
): KeptPermit {
  progress.step(`starts after ${formatNs(permit.waitedMs * 1e6)}`);
  return keepPermit(address, permit, (why) => {
    if (why !== "released") progress.note(`the permit ended before the VM was ready: ${why}`);
  });
}

/** What it prints goes on to our standard output; when nobody reads there, nobody reads here. */
function passOutput({ output }: Launch): void {
  if (output === undefined) return;
  process.stdout.removeAllListeners("error").on("error", () => output.destroy());
  output.pipe(process.stdout, { end: false });
}

async function release(
  { progress }: PermitRun,
  kept: KeptPermit | undefined,
  outcome: Outcome,
): Promise<void> {
  if (kept === undefined) return;
  if (await kept.release(outcome, RELEASE_LIMIT_MS)) return;
  progress.note("the governor has not heard that the boot is over; the lease ends the permit");
}

function interrupted(): BootstormError {
  return new BootstormError("INTERRUPTED", "interrupted", {
    why: "it was asked to stop before there was a permit; the command has not begun",
    exit: EXIT.interrupted,
  });
}
