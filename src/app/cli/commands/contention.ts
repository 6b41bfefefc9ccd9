import type { Command } from "commander";
import { lockWaits } from "../../../core/analyze/lock-wait.ts";
import { spinEvidence } from "../../../core/analyze/spin-evidence.ts";
import { busiestWindow, waitTimeline } from "../../../core/analyze/wait-timeline.ts";
import { BootstormError, EXIT } from "../../../core/error.ts";
import { writeTrace } from "../../../core/event/codec.ts";
import type { Trace } from "../../../core/event/schema.ts";
import type { SpinlockVisibility } from "../../../core/facts/spinlock-visibility.ts";
import {
  contentionInputCaveats,
  contentionReport,
} from "../../../core/report/contention-report.ts";
import { htmlPage } from "../../../core/report/html-page.ts";
import { proseText } from "../../../core/report/prose.ts";
import { terminalReport } from "../../../core/report/terminal-report.ts";
import { runBeside } from "../../../host/exec/beside.ts";
import { requireWritable, writeFileAtomic } from "../../../host/store/atomic.ts";
import { RECORDER_DEFAULTS } from "../../../host/tracefs/recorder.ts";
import { fileName, numberWithin, oneOf, wholeNumber } from "../arguments.ts";
import { maker } from "../maker.ts";
import { readRecording } from "../recording/read.ts";
import { recordDuring } from "../recording/record.ts";
import { visibilityOf } from "../recording/visibility.ts";
import { runCommand, type Session, withCommonFlags } from "../run.ts";
import { textSize } from "../terminal.ts";

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
/** What the timeline shows: long enough to see waits follow each other, short enough to see each. */
const WINDOW_NS = 2_000_000;
const WINDOW_WAITS_MAX = 2000;

export function define(command: Command, trailing: readonly string[]): void {
  command
    .usage("[options] [file]\n       bootstorm contention [options] -- COMMAND …")
    .description(
      "Say who waits for which lock, called from where. Without a file it records this machine " +
        "(as root), for a time or while a command runs.",
    )
    .argument(
      "[file]",
      "a recording: saved by --save, by simulate --trace, or the text of perf script",
    )
    .option("--live", "record this machine; the default without a file")
    .option(
      "--seconds <n>",
      `how long to record, in seconds (default: ${SECONDS_DEFAULT}, or until the command ends)`,
      numberWithin(0.1, 86_400),
    )
    .option(
      "--by <what>",
      "rows by lock and caller, or by lock and process",
      oneOf("caller", "process"),
      "caller",
    )
    .option("--no-stacks", "record no call stacks: exact times, no callers, fewer names")
    .option(
      "--buffer <KiB>",
      "the kernel's buffer for each CPU, in KiB",
      wholeNumber(64, 1 << 20),
      RECORDER_DEFAULTS.bufferKiBPerCpu,
    )
    .option("--save <file>", "keep the recording in a file (default: not kept)", fileName)
    .option("--html <file>", "write the report as one HTML page (default: none)", fileName);
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
        // A recording cannot be made again: better to know before it than after it.
        for (const path of [flags.save, flags.html]) {
          if (path !== undefined) await requireWritable(path);
        }
        const source =
          file === undefined
            ? await recordLive(session, flags, trailing)
            : await fromFile(file, flags, trailing);
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
          input: inputOf(file, flags, trailing),
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
  { stacks, buffer, seconds }: Flags,
  trailing: readonly string[],
): Promise<Source> {
  const notes: string[] = [];
  const [program, ...rest] = trailing;
  const work = async () => {
    if (program === undefined) {
      await pass(seconds ?? SECONDS_DEFAULT, signal, (share) =>
        progress.step("recording lock waits", share),
      );
      return;
    }
    const limit = seconds === undefined ? {} : { limitMs: seconds * 1000 };
    const end = await runBeside([program, ...rest], { signal, ...limit });
    if (end === "limit") notes.push(`the command was ended after ${seconds} s`);
    else if (end !== 0)
      notes.push(`the command ended with ${typeof end === "number" ? `status ${end}` : end}`);
  };
  const trace = await recordDuring({ stacks, bufferKiBPerCpu: buffer }, work);
  signal.throwIfAborted();
  return { trace, visibility: await visibilityOf(trace, signal), notes };
}

async function fromFile(file: string, flags: Flags, trailing: readonly string[]): Promise<Source> {
  if (flags.live || !flags.stacks || flags.seconds !== undefined || trailing.length > 0) {
    throw new BootstormError(
      "FILE_AND_LIVE",
      `${file} is a recording, and cannot be recorded again`,
      {
        why: "--live, --seconds, --no-stacks and a command after -- record this machine",
        remedies: ["name a file, or record: not both", "to keep a recording, use --save FILE"],
        exit: EXIT.usage,
      },
    );
  }
  const trace = await readRecording(file);
  return { trace, visibility: spinEvidence(trace), notes: [] };
}

/** What was asked of a recording, in the units of `--json`. */
function inputOf(file: string | undefined, flags: Flags, trailing: readonly string[]) {
  const { by, stacks, buffer, save, html } = flags;
  const seconds = flags.seconds ?? (trailing.length === 0 ? SECONDS_DEFAULT : undefined);
  const live = { live: true, seconds, stacks, bufferKiBPerCpu: buffer, command: trailing };
  return { ...(file === undefined ? live : { file }), by, save, html };
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
