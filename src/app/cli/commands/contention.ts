import { readFile, stat } from "node:fs/promises";
import type { Command } from "commander";
import { lockWaits } from "../../../core/analyze/lock-wait.ts";
import { spinEvidence } from "../../../core/analyze/spin-evidence.ts";
import { busiestWindow, waitTimeline } from "../../../core/analyze/wait-timeline.ts";
import { BootstormError, EXIT } from "../../../core/error.ts";
import { isTrace, readTrace, writeTrace } from "../../../core/event/codec.ts";
import type { Trace } from "../../../core/event/schema.ts";
import type { SpinlockVisibility } from "../../../core/facts/spinlock-visibility.ts";
import {
  contentionInputCaveats,
  contentionReport,
} from "../../../core/report/contention-report.ts";
import { htmlPage } from "../../../core/report/html-page.ts";
import { proseText } from "../../../core/report/prose.ts";
import { terminalReport } from "../../../core/report/terminal-report.ts";
import { readPerfScript } from "../../../core/trace/perf-script.ts";
import { runBeside } from "../../../host/exec/beside.ts";
import { writeFileAtomic } from "../../../host/store/atomic.ts";
import { numberWithin, oneOf, wholeNumber } from "../arguments.ts";
import { maker } from "../maker.ts";
import { recordDuring } from "../recording.ts";
import { runCommand, type Session, withCommonFlags } from "../run.ts";
import { textSize } from "../terminal.ts";
import { visibilityOf } from "../visibility.ts";

interface Flags {
  readonly live?: true;
  readonly seconds?: number;
  readonly by: "caller" | "process";
  readonly stacks: boolean;
  readonly save?: string;
  readonly html?: string;
  readonly buffer: number;
}

const SECONDS_DEFAULT = 10;
/** A recording is read whole; `perf script --time` cuts a larger one. */
const FILE_BYTES_MAX = 2 ** 31;
/** What the timeline shows: long enough to see waits follow each other, short enough to see each. */
const WINDOW_NS = 2_000_000;
const WINDOW_WAITS_MAX = 2000;

export function define(command: Command, trailing: readonly string[]): void {
  command
    .usage("[options] [file]\n       bootstorm contention [options] -- COMMAND …")
    .description(
      "Say who waits for which lock, called from where. Without a file it records this machine\n(as root), for a time or while a command runs.",
    )
    .argument("[file]", "a recording: saved by --save, or the text of perf script")
    .option("--live", "record this machine; the default without a file")
    .option(
      "--seconds <n>",
      `how long to record (default: ${SECONDS_DEFAULT}, or until the command ends)`,
      numberWithin(0.1, 86_400),
    )
    .option(
      "--by <what>",
      "rows by lock and caller, or by lock and process",
      oneOf("caller", "process"),
      "caller",
    )
    .option("--no-stacks", "record no call stacks: exact times, no callers, fewer names")
    .option("--buffer <KiB>", "the kernel's buffer for each CPU", wholeNumber(64, 1 << 20), 4096)
    .option("--save <file>", "keep the recording in a file")
    .option("--html <file>", "write the report as one HTML page");
  withCommonFlags(command)
    .addHelpText(
      "after",
      `
Examples:
  sudo bootstorm contention --seconds 5                    this machine, for 5 seconds
  sudo bootstorm contention --by process -- make -j8       while a command runs
  sudo bootstorm contention --save boot.bst -- ./boot.sh   and keep the recording …
  bootstorm contention boot.bst --json                     … to read it without root`,
    )
    .action((file: string | undefined, flags: Flags) =>
      runCommand(command, async (session) => {
        const source =
          file === undefined
            ? await recordLive(session, flags, trailing)
            : await readRecording(file, flags, trailing);
        const { trace } = source;
        if (flags.save !== undefined) {
          await writeFileAtomic(flags.save, writeTrace(trace), { shared: false });
        }
        const input = {
          ...source,
          contention: lockWaits(trace, { by: flags.by }),
          timeline: waitTimeline(trace, {
            ...busiestWindow(trace, WINDOW_NS),
            waitsMax: WINDOW_WAITS_MAX,
          }),
        };
        const report = contentionReport(input, maker());
        if (flags.html !== undefined) {
          await writeFileAtomic(flags.html, htmlPage(report), { shared: true });
        }
        return {
          input: {
            ...(file === undefined ? { live: true } : { file }),
            ...flags,
            command: trailing,
          },
          result: input.contention,
          caveats: contentionInputCaveats(input).map(proseText),
          text: terminalReport(report, textSize()),
        };
      }),
    );
}

interface Source {
  readonly trace: Trace;
  readonly visibility: SpinlockVisibility;
  readonly notes: readonly string[];
}

async function recordLive(
  { signal, progress }: Session,
  flags: Flags,
  trailing: readonly string[],
): Promise<Source> {
  const notes: string[] = [];
  const [program, ...rest] = trailing;
  const work = async () => {
    if (program === undefined) {
      await pass(flags.seconds ?? SECONDS_DEFAULT, signal, (share) =>
        progress.step("recording lock waits", share),
      );
      return;
    }
    const limit = AbortSignal.any([
      signal,
      ...(flags.seconds === undefined ? [] : [AbortSignal.timeout(flags.seconds * 1000)]),
    ]);
    const end = await runBeside([program, ...rest], limit);
    if (limit.aborted) notes.push(`the command was ended after ${flags.seconds} s`);
    else if (end !== 0)
      notes.push(`the command ended with ${typeof end === "number" ? `status ${end}` : end}`);
  };
  const trace = await recordDuring({ stacks: flags.stacks, bufferKiBPerCpu: flags.buffer }, work);
  signal.throwIfAborted();
  return { trace, visibility: await visibilityOf(trace, signal), notes };
}

async function readRecording(
  file: string,
  flags: Flags,
  trailing: readonly string[],
): Promise<Source> {
  if (flags.live || flags.seconds !== undefined || trailing.length > 0) {
    throw new BootstormError(
      "FILE_AND_LIVE",
      `${file} is a recording, and cannot be recorded again`,
      {
        why: "--live, --seconds and a command after -- record this machine",
        remedies: ["name a file, or record: not both", "to keep a recording, use --save FILE"],
        exit: EXIT.usage,
      },
    );
  }
  const bytes = await readBounded(file);
  const trace = isTrace(bytes) ? readTrace(bytes) : readPerfScript(bytes);
  if (trace.meta.events === 0 && trace.meta.source === "perf-script")
    throw notARecording(file, trace);
  return { trace, visibility: spinEvidence(trace), notes: [] };
}

async function readBounded(file: string): Promise<Uint8Array> {
  let why: string;
  try {
    const { size } = await stat(file);
    if (size <= FILE_BYTES_MAX) return await readFile(file);
    why = `it has ${size} bytes; at most ${FILE_BYTES_MAX} are read`;
  } catch (error) {
    why = (error as Error).message;
  }
  throw new BootstormError("CANNOT_READ", `cannot read ${file}`, {
    why,
    remedies: ["record one: sudo bootstorm contention --save FILE"],
    exit: EXIT.input,
  });
}

function notARecording(file: string, { meta }: Trace): BootstormError {
  const lines = meta.rejects.reduce((sum, reject) => sum + reject.count, 0);
  return new BootstormError("NOT_A_RECORDING", `cannot read ${file}`, {
    why: `it is no trace of bootstorm, and none of its ${lines} lines is a lock event of perf script`,
    remedies: [
      "perf record -e lock:contention_begin,lock:contention_end -a -- COMMAND",
      "perf script --ns -F comm,pid,tid,cpu,time,event,trace,ip,sym > FILE",
    ],
    exit: EXIT.input,
  });
}

/** Lets time pass until it is over or somebody interrupts. */
function pass(
  seconds: number,
  signal: AbortSignal,
  onStep: (share: number) => void,
): Promise<void> {
  return new Promise((resolve) => {
    const startMs = performance.now();
    const timer = setInterval(() => {
      const share = (performance.now() - startMs) / (seconds * 1000);
      onStep(Math.min(1, share));
      if (share >= 1) finish();
    }, 50);
    const finish = () => {
      clearInterval(timer);
      signal.removeEventListener("abort", finish);
      resolve();
    };
    signal.addEventListener("abort", finish, { once: true });
  });
}
