// What this host's direct-map changes cost. Rooms it passes: host/secretmem and host/tracefs (sweep
// and recording), core/sim (the model that is fitted, and the fit), core/kernel/cost (the file that
// scenarios name), core/report (what is read).
import { cpus } from "node:os";
import { basename } from "node:path";
import { type Command, InvalidArgumentError } from "commander";
import {
  type CalibrationResult,
  inDoubt,
  type RecordedWait,
  recordedWait,
} from "../../../core/analyze/calibration-result.ts";
import { tightPoint } from "../../../core/analyze/free-sweep.ts";
import type { Missing } from "../../../core/analyze/investigate.ts";
import { lockShares } from "../../../core/analyze/lock-shares.ts";
import { BootstormError, EXIT } from "../../../core/error.ts";
import type { Trace } from "../../../core/event/schema.ts";
import { costFileText, readCostFile } from "../../../core/kernel/cost/cost-file.ts";
import { calibrateReport, calibrationCaveats } from "../../../core/report/calibrate-report.ts";
import { htmlPage } from "../../../core/report/html-page.ts";
import { proseText } from "../../../core/report/prose.ts";
import { terminalReport } from "../../../core/report/terminal-report.ts";
import { type Calibration, predictNsPerPage } from "../../../core/sim/calibration.ts";
import { describeHost } from "../../../host/probe/describe.ts";
import { requireWritable, writeFileAtomic } from "../../../host/store/atomic.ts";
import { fileName, numberList, wholeNumber } from "../arguments.ts";
import { runSweep, type SweepOptions, type SweepRun } from "../calibrate/sweep.ts";
import { calibrateInThread } from "../calibrate/thread.ts";
import { addProcessesFlag, processCountsOf, YES_FLAG } from "../load/flags.ts";
import { agreeToSplits, whyNoRecording } from "../load/load.ts";
import { maker } from "../maker.ts";
import { recordedTwice } from "../recording/record.ts";
import { visibilityOf } from "../recording/visibility.ts";
import { type Answer, runCommand, type Session, withCommonFlags } from "../run.ts";
import { shellWord } from "../simulate/words.ts";
import { textSize } from "../terminal.ts";

interface Flags {
  readonly processes?: number[];
  readonly delaysNs: readonly number[];
  readonly rounds: number;
  readonly pagesPerFile: readonly number[];
  readonly out?: string;
  readonly html?: string;
  readonly seed: number;
  readonly bootstraps: number;
  readonly yes?: true;
}

const FILE = "bootstorm-costs.json";
/** Of each process: at 1 µs a page a round takes half a millisecond. */
const PAGES_PER_PROCESS = 512;

export function define(command: Command): void {
  addProcessesFlag(
    command.description(
      "Measure what direct-map changes cost on this host, lock hold apart from other work, and write a table of costs that scenarios can name.",
    ),
  )
    .option(
      "--delays-ns <list>",
      "busy waits after each file that is freed, beside 0",
      numberList(0, 1_000_000),
      [0, 400, 1200, 4000],
    )
    .option("--rounds <n>", "measured rounds of each point", wholeNumber(3, 10_000), 15)
    .option(
      "--pages-per-file <list>",
      "sizes of the files, in pages",
      numberList(1, PAGES_PER_PROCESS),
      [4, 64],
    )
    .option("--out <file>", `where the costs go (default: ${FILE})`, costFileName)
    .option("--html <file>", "write the report as one HTML page (default: none)", fileName)
    .option("--seed <n>", "order of the rounds, and the fit", wholeNumber(0, 2 ** 31 - 1), 1)
    .option("--bootstraps <n>", "resamples for the intervals", wholeNumber(20, 10_000), 400)
    .option(...YES_FLAG);
  withCommonFlags(command)
    .addHelpText(
      "after",
      `
Examples:
  sudo bootstorm calibrate --yes          all CPUs; with root, lock waits as a check
  bootstorm calibrate --out lab.json      for scenarios: host.costs.table: lab.json
  bootstorm calibrate --rounds 60 --yes   narrower intervals`,
    )
    .action((flags: Flags) => runCommand(command, (session) => calibrate(session, flags)));
}

/** A commander parser for the name of a file that scenarios can name as their table. */
function costFileName(text: string): string {
  if (text.endsWith(".json")) return text;
  throw new InvalidArgumentError(
    `'${text}' does not end in .json, by which a scenario tells a file from a table.`,
  );
}

async function calibrate(session: Session, flags: Flags): Promise<Answer> {
  const options = sweepOptions(flags);
  const file = flags.out ?? FILE;
  // Better to know before a minute is spent.
  for (const path of [file, flags.html]) if (path !== undefined) await requireWritable(path);
  await agreeToSplits(session, { yes: flags.yes === true });
  const notRecorded = whyNoRecording();
  const { passes, traces } = recordedTwice(options.rounds);
  const run = await runSweep(session, options, notRecorded === undefined ? passes : []);
  const { seed, bootstraps } = flags;
  const fit = await calibrateInThread(session, {
    cpus: cpus().length,
    free: run.points,
    onePage: run.alone,
    seed,
    bootstraps,
  });
  const calibration = inDoubt(fit, run.slowdown);
  const recorded = await waitsRecorded(session, { run, traces, calibration, seed });
  const result = resultOf({ run, calibration, recorded, notRecorded, options });

  const text = costFileText(calibration, {
    name: basename(file, ".json"),
    measuredOn: measuredOn(),
  });
  const costs = readCostFile(text, file);
  const report = calibrateReport({
    result,
    costs,
    file,
    reproduce: [commandOf(options, flags)],
    maker: maker(),
  });
  session.signal.throwIfAborted();
  await writeFileAtomic(file, text, { shared: flags.out !== undefined });
  if (flags.html !== undefined) {
    await writeFileAtomic(flags.html, htmlPage(report), { shared: true });
  }
  return {
    input: { ...options, bootstraps, out: file },
    result: { costs, ...result },
    caveats: calibrationCaveats(result).map(proseText),
    text: `${terminalReport(report, textSize())}\nCosts: ${file}\n`,
  };
}

/** @throws BootstormError TOO_FEW_PROCESSES, TOO_MANY_PROCESSES */
function sweepOptions(flags: Flags): SweepOptions {
  const processCounts = processCountsOf(flags.processes);
  if (processCounts.length < 2) {
    throw new BootstormError("TOO_FEW_PROCESSES", "the lock cannot be told from other work", {
      why: "with one number of processes only the sum of both shows",
      remedies: ["at least two numbers, such as --processes 1,2, and as many CPUs as the larger"],
      exit: flags.processes === undefined ? EXIT.host : EXIT.usage,
    });
  }
  return {
    processCounts,
    pagesPerFile: flags.pagesPerFile,
    delaysNs: [...new Set([0, ...flags.delaysNs])],
    rounds: flags.rounds,
    warmups: 3,
    pagesPerProcess: PAGES_PER_PROCESS,
    memoryShare: 0.01,
    seed: flags.seed,
  };
}

/** Waits as they were recorded, beside those the model says: one process's time taken off. */
async function waitsRecorded(
  { signal }: Session,
  {
    run,
    traces,
    calibration,
    seed,
  }: { run: SweepRun; traces: readonly Trace[]; calibration: Calibration; seed: number },
): Promise<RecordedWait | undefined> {
  const [timed, witness] = traces.map((trace, i) => ({ trace, rounds: run.measured.recorded[i]! }));
  if (timed === undefined || witness === undefined) return undefined;
  const { processes } = run.slowdown;
  const point = tightPoint(run.points, processes);
  const wait = recordedWait(lockShares(timed, witness), timed.rounds, point, seed);
  if (wait === undefined) return undefined;
  const [many, one] = [processes, 1].map((count) =>
    predictNsPerPage(calibration, { ...point, processes: count }, seed),
  );
  return {
    ...wait,
    processes,
    pagesPerFile: point.pagesPerFile,
    predictedNsPerPage: many! - one!,
    visibility: await visibilityOf(witness.trace, signal),
  };
}

function resultOf({
  run,
  calibration,
  recorded,
  notRecorded,
  options,
}: {
  run: SweepRun;
  calibration: Calibration;
  recorded: RecordedWait | undefined;
  notRecorded: Missing | undefined;
  options: SweepOptions;
}): CalibrationResult {
  const { kernel, cpuCount, cpuModel } = describeHost();
  const { budget, directMap, rejects, disturbed } = run.measured;
  return {
    kernel: { release: kernel, cpuCount, cpuModel },
    points: run.points,
    alone: run.alone,
    calibration,
    slowdown: run.slowdown,
    disturbed,
    ...(recorded === undefined ? {} : { recorded }),
    missing: notRecorded === undefined ? [] : [notRecorded],
    pagesPerProcess: budget.pages,
    rounds: options.rounds,
    seed: options.seed,
    directMap,
    rejects,
  };
}

function measuredOn() {
  const { cpuModel, kernel, cpuCount } = describeHost();
  return { host: cpuModel, kernel, cpus: cpuCount, takenAt: new Date().toISOString() };
}

/** The command line that measures the same again. */
function commandOf(options: SweepOptions, { bootstraps, out, html }: Flags): string {
  const { processCounts, delaysNs, rounds, pagesPerFile, seed } = options;
  return [
    `bootstorm calibrate --processes ${processCounts.join(",")} --delays-ns ${delaysNs.join(",")}`,
    `--rounds ${rounds} --pages-per-file ${pagesPerFile.join(",")} --seed ${seed}`,
    `--bootstraps ${bootstraps} --yes`,
    ...Object.entries({ out, html }).flatMap(([flag, path]) =>
      path === undefined ? [] : [`--${flag} ${shellWord(path)}`],
    ),
  ].join(" ");
}
