import { readFile, stat } from "node:fs/promises";
import type { Command } from "commander";
import { lockWaits } from "../../../core/analyze/lock-wait.ts";
import { busiestWindow, waitTimeline } from "../../../core/analyze/wait-timeline.ts";
import { BootstormError, EXIT } from "../../../core/error.ts";
import { isTrace, readTrace, writeTrace } from "../../../core/event/codec.ts";
import type { Trace } from "../../../core/event/schema.ts";
import { contentionReport } from "../../../core/report/contention-report.ts";
import { terminalReport } from "../../../core/report/terminal-report.ts";
import { readPerfScript } from "../../../core/trace/perf-script.ts";
import { runBeside } from "../../../host/exec/beside.ts";
import { writeFileAtomic } from "../../../host/store/atomic.ts";
import { chosen, numberWithin, wholeNumber } from "../arguments.ts";
import { openRecording } from "../recording.ts";
import { runCommand, type Session, withCommonFlags } from "../run.ts";
import { textSize } from "../terminal.ts";
import { VERSION } from "../version.ts";
import { waitsSeenHere } from "../visibility.ts";

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
    .option("--by <what>", "rows by lock and caller, or by lock and process", chosen("caller", "process"), "caller")
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
        const { trace, notes } =
          file === undefined
            ? await recordLive(session, flags, trailing)
            : await readRecording(file, flags, trailing);
        if (flags.save !== undefined) {
          await writeFileAtomic(flags.save, writeTrace(trace), { shared: false });
        }
        const contention = lockWaits(trace, { by: flags.by });
        const timeline = waitTimeline(trace, { ...busiestWindow(trace, WINDOW_NS), waitsMax: 2000 });
        const report = contentionReport({ contention, timeline, notes }, { version: VERSION });
        if (flags.html !== undefined) {
          await writeFileAtomic(flags.html, htmlPage(report), { shared: true });
        }
        return {
          input: { file, ...flags, command: trailing },
          result: contention,
          caveats: report.caveats.map(proseText),
          text: terminalReport(report, textSize()),
        };
      }),
    );
}
