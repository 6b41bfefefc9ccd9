import { writeSync } from "node:fs";
import { type Command, Option } from "commander";
import { BootstormError, EXIT, type ExitStatus } from "../../core/error.ts";
import { describeHost } from "../../host/probe/describe.ts";
import { requireWritable, writeFileAtomic } from "../../host/store/atomic.ts";
import { fileName } from "./arguments.ts";
import { createProgress, type Progress } from "./progress.ts";
import { VERSION } from "./version.ts";

/** What a command gets from the contract all commands keep. */
export interface Session {
  /** Aborts on Ctrl-C, SIGTERM and SIGHUP: stop, put the host back, and return or throw. */
  readonly signal: AbortSignal;
  readonly progress: Progress;
}

/** What a command answers: data for machines, text for people, one source for both. */
export interface Answer {
  /** What was asked, defaults included, so that the run can be repeated. */
  readonly input: unknown;
  readonly result: unknown;
  /** What the sources could not see, what was lost or rejected, what to doubt. */
  readonly caveats: readonly string[];
  /** The answer as a person reads it, ending in a newline. */
  readonly text: string;
  readonly exit?: ExitStatus;
}

/** What `--json` without a file stands for. */
export const STDOUT = "-";
/** What `--govern` without a socket stands for. */
export const OWN_GOVERNOR = "own";

const BARE = new Map([
  ["--json", STDOUT],
  ["--govern", OWN_GOVERNOR],
]);

/**
 * In `contention --json boot.bst` the last word is the recording to read. Commander would take it
 * for the file of --json, to be overwritten; only `--json=FILE` names that one.
 */
export function markBare(args: readonly string[]): string[] {
  return args.map((arg) => (BARE.has(arg) ? `${arg}=${BARE.get(arg)}` : arg));
}

/** Adds the flags every command has. Call it after the command's own flags. */
export function withCommonFlags(command: Command): Command {
  const json = new Option(
    "--json [file]",
    "print one JSON document instead of text, or write it to a file",
  ).argParser(fileName);
  json.flags = "--json[=file]";
  return command.addOption(json).option("--quiet", "no progress on standard error");
}

/**
 * Runs a command's work under the common contract: progress, interruption, JSON, exit status.
 * @param work  does the job; must leave the host as it found it when `signal` aborts
 * @param options.isDaemon  it works until a signal ends it, which is no interruption; SIGHUP is its own
 */
export async function runCommand(
  command: Command,
  work: (session: Session) => Promise<Answer>,
  { isDaemon = false } = {},
): Promise<void> {
  const { json, quiet } = command.opts<{ json?: string; quiet?: true }>();
  const progress = createProgress({ quiet: quiet === true });
  const interrupt = listenForInterrupts(isDaemon);
  try {
    if (json !== undefined && json !== STDOUT) await requireWritable(json);
    const answer = await work({ signal: interrupt.signal, progress });
    progress.clear();
    if (!isDaemon) interrupt.signal.throwIfAborted();
    await printAnswer(command.name(), answer, json);
    process.exitCode = answer.exit ?? EXIT.done;
  } catch (error) {
    progress.clear();
    throw interrupt.signal.aborted && !isDaemon ? interrupted() : error;
  } finally {
    interrupt.stop();
  }
}

/** @param json  the value of --json, where it was given */
export async function printAnswer(
  name: string,
  answer: Answer,
  json: string | undefined,
): Promise<void> {
  if (json === undefined) return writeOut(answer.text);
  const { input, result, caveats } = answer;
  const document = {
    bootstorm: VERSION,
    command: name,
    input,
    host: describeHost(),
    result,
    caveats,
  };
  const text = `${JSON.stringify(document, null, 2)}\n`;
  if (json === STDOUT) return writeOut(text);
  await writeFileAtomic(json, text, { shared: true });
  writeOut(answer.text);
}

/** Writes to standard output at once, so that a process that exits early has not lost the answer. */
function writeOut(text: string): void {
  const bytes = Buffer.from(text);
  for (let done = 0; done < bytes.length; ) {
    try {
      done += writeSync(1, bytes, done);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === "EPIPE") return;
      if (code !== "EAGAIN") throw error;
    }
  }
}

function listenForInterrupts(isDaemon: boolean): { signal: AbortSignal; stop(): void } {
  const controller = new AbortController();
  const ends = ["SIGINT", "SIGTERM"] as const;
  const signals = isDaemon ? ends : ([...ends, "SIGHUP"] as const);
  const onSignal = () => {
    // A second signal ends at once; what is registered on `exit` still runs.
    if (controller.signal.aborted) process.exit(EXIT.interrupted);
    controller.abort(interrupted());
  };
  for (const name of signals) process.on(name, onSignal);
  return {
    signal: controller.signal,
    stop: () => {
      for (const name of signals) process.off(name, onSignal);
    },
  };
}

function interrupted(): BootstormError {
  return new BootstormError("INTERRUPTED", "interrupted", {
    why: "a signal asked to stop; the host is as it was found",
    exit: EXIT.interrupted,
  });
}
