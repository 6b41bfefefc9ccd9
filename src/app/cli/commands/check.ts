// Is this lock design safe? Rooms it passes: core/kernel (the model), core/check (every order of its
// steps), core/report (verdicts and schedules in words and pictures).
import type { Command } from "commander";
import type { Verdict } from "../../../core/check/check.ts";
import { OPERATION_SETS, type Question, TABLE_OPERATIONS } from "../../../core/check/question.ts";
import { EXIT, type ExitStatus } from "../../../core/error.ts";
import { DESIGNS } from "../../../core/kernel/design/index.ts";
import type { Design } from "../../../core/kernel/design.ts";
import type { TlbRule } from "../../../core/kernel/law.ts";
import {
  removalReport,
  type TimedVerdict,
  verdictReport,
  verdictTableReport,
} from "../../../core/report/check-report.ts";
import { htmlPage } from "../../../core/report/html-page.ts";
import { TERMS, type Terms } from "../../../core/report/page-table-terms.ts";
import { wrap } from "../../../core/report/plain-text.ts";
import { terminalReport } from "../../../core/report/terminal-report.ts";
import { writeFileAtomic } from "../../../host/store/atomic.ts";
import { fileName, numberWithin, oneOf, wholeNumber } from "../arguments.ts";
import { designOf, readSchedule } from "../check/files.ts";
import { verdictJson } from "../check/json.ts";
import { replayVerdict } from "../check/replay.ts";
import { checkInThread } from "../check/thread.ts";
import { maker } from "../maker.ts";
import { type Answer, runCommand, type Session, withCommonFlags } from "../run.ts";
import { textSize } from "../terminal.ts";

interface Flags {
  readonly design?: readonly string[];
  readonly ops?: readonly string[];
  readonly cpus: number;
  readonly pages?: number;
  readonly regions: number;
  readonly start?: "1g" | "2m" | "4k";
  readonly tlbRule: TlbRule;
  readonly memoryModel: "sc" | "tso";
  readonly flush: "broadcast" | "ipi";
  readonly omit?: readonly string[];
  readonly removals?: true;
  readonly merge: boolean;
  readonly symmetry: boolean;
  readonly memory: number;
  readonly limit: number;
  readonly terms: Terms;
  readonly save?: string;
  readonly replay?: string;
  readonly html?: string;
}

export function define(command: Command): void {
  command
    .description(
      "Say whether a lock design for the kernel's direct map is safe, by trying every interleaving;\nif not, show the shortest run that breaks it. Without flags: all designs, all operations.",
    )
    .option(
      "--design <name…>",
      "a design by name, or a JSON file with one of your own (default: all)",
      collect,
    )
    .option(
      "--ops <operations…>",
      "a set by name, or requests of each CPU such as 'ro rw, nx' (default: those of the table)",
      collect,
    )
    .option("--cpus <n>", "CPUs that run at once", wholeNumber(1, 16), 4)
    .option("--pages <n>", "4 KiB pages (default: as the operations say)", wholeNumber(1, 64))
    .option("--regions <n>", "2 MiB regions the pages lie in", wholeNumber(1, 64), 1)
    .option(
      "--start <size>",
      "entries at the start: 1g, 2m or 4k (default: as the operations say)",
      oneOf("1g", "2m", "4k"),
    )
    .option(
      "--tlb-rule <rule>",
      "which two translations are an error: note-2007, sdm-today or erratum-383",
      oneOf("note-2007", "sdm-today", "erratum-383"),
      "note-2007",
    )
    .option(
      "--memory-model <model>",
      "sc (sequential consistency) or tso (x86 store buffers)",
      oneOf("sc", "tso"),
      "sc",
    )
    .option(
      "--flush <kind>",
      "broadcast, or ipi: one to each CPU, answered in any order",
      oneOf("broadcast", "ipi"),
      "broadcast",
    )
    .option(
      "--omit <label>",
      "leave out a step of the kernel, to see that it is missed (default: nothing)",
      collect,
    )
    .option("--removals", "take away each lock, flush and second look of the design in turn")
    .option("--no-merge", "try every lock step by itself: slower, the same verdict")
    .option("--no-symmetry", "count CPUs that are alike apart: slower, the same verdict")
    .option("--memory <MiB>", "most memory for states", wholeNumber(16, 1 << 20), 1024)
    .option(
      "--limit <seconds>",
      "most time for all questions together",
      numberWithin(0.001, 86_400),
      600,
    )
    .option(
      "--terms <words>",
      "page-table levels in words of linux, amd or intel",
      oneOf(...TERMS),
      "linux",
    )
    .option(
      "--save <file>",
      "keep the run that breaks a law, for --replay (default: not kept)",
      fileName,
    )
    .option("--replay <file>", "run a saved schedule again (default: none)")
    .option("--html <file>", "write the report as one HTML page (default: none)", fileName);
  withCommonFlags(command)
    .addHelpText(
      "after",
      `
${wrap(`Designs: ${DESIGNS.map((design) => design.name).join(", ")}`, 96, "  ")}
${wrap(`Operations: ${OPERATION_SETS.map((set) => set.name).join(", ")}`, 96, "  ")}
Exit status: 0 safe (or a table); 1 a law is broken; 5 unknown, a limit was reached; 6 unknown, the
question tests nothing.

Examples:
  bootstorm check                                      every design, every operation
  bootstorm check --design no-cpa-lock --ops ro        one verdict, with the run that breaks it
  bootstorm check --design mine.json --ops ro --cpus 6 a design of your own
  bootstorm check --design linux-4.20 --removals       is each lock and flush needed?`,
    )
    .action((flags: Flags) =>
      runCommand(command, (session) =>
        flags.replay === undefined
          ? check(command, session, flags)
          : replayFile(flags, flags.replay),
      ),
    );
}

async function check(command: Command, session: Session, flags: Flags): Promise<Answer> {
  const designs =
    flags.design === undefined ? [...DESIGNS] : await Promise.all(flags.design.map(designOf));
  const operations = flags.ops ?? TABLE_OPERATIONS;
  const { verdicts, removals } = await checkInThread(session, {
    questions: questionsOf(flags, designs, operations),
    removals: flags.removals === true,
    memoryBytes: flags.memory * 2 ** 20,
    limitMs: flags.limit * 1000,
    merge: flags.merge,
    symmetry: flags.symmetry,
  });
  const saved = verdicts.find(({ verdict }) => verdict.counterexample !== undefined);
  if (flags.save !== undefined && saved !== undefined) {
    const schedule = saved.verdict.counterexample!.schedule;
    await writeFileAtomic(flags.save, `${JSON.stringify(schedule, null, 2)}\n`, { shared: true });
  }
  const single = verdicts.length === 1 ? verdicts[0]! : undefined;
  const options = { terms: flags.terms, reproduce: [commandOf(command, flags)] };
  const report =
    flags.removals === true
      ? removalReport(designs[0]!.name, removals, options, maker())
      : single === undefined
        ? verdictTableReport(verdicts, options, maker())
        : verdictReport(single, options, maker());
  if (flags.html !== undefined) {
    await writeFileAtomic(flags.html, htmlPage(report), { shared: true });
  }
  return {
    input: { ...flags, designs, operations },
    result: {
      verdicts: verdicts.map(verdictJson),
      ...(single?.verdict.counterexample === undefined
        ? {}
        : { schedule: scheduleJson(single.verdict) }),
      ...(flags.removals === true ? { removals } : {}),
    },
    caveats: verdicts[0]!.verdict.assumptions,
    text: terminalReport(report, textSize()),
    // A table of many designs is no news about one; a question about named ones is.
    exit: flags.design === undefined ? EXIT.done : exitOf(verdicts),
  };
}

async function replayFile(flags: Flags, file: string): Promise<Answer> {
  const schedule = await readSchedule(file);
  const verdict = replayVerdict(schedule);
  const options = { terms: flags.terms, reproduce: [`bootstorm check --replay ${file}`] };
  const report = verdictReport({ verdict, elapsedMs: 0 }, options, maker());
  if (flags.html !== undefined) {
    await writeFileAtomic(flags.html, htmlPage(report), { shared: true });
  }
  return {
    input: { replay: file, terms: flags.terms },
    result: { verdicts: [verdictJson({ verdict, elapsedMs: 0 })], schedule: scheduleJson(verdict) },
    caveats: verdict.assumptions,
    text: terminalReport(report, textSize()),
    exit: exitOf([{ verdict, elapsedMs: 0 }]),
  };
}

function questionsOf(
  flags: Flags,
  designs: readonly Design[],
  operations: readonly string[],
): Question[] {
  const { cpus, pages, regions, start, tlbRule, memoryModel, flush, omit } = flags;
  return designs.flatMap((design) =>
    operations.map((each) => ({
      design,
      operations: each,
      cpus,
      regions,
      tlbRule,
      memoryModel,
      flush,
      ...(pages === undefined ? {} : { pages }),
      ...(start === undefined ? {} : { start }),
      ...(omit === undefined ? {} : { omit }),
    })),
  );
}

/** The worst of several verdicts: a broken law, then a question that tests nothing, then a limit. */
function exitOf(verdicts: readonly TimedVerdict[]): ExitStatus {
  const all = verdicts.map(({ verdict }) => verdict);
  if (all.some((verdict) => verdict.verdict === "unsafe")) return EXIT.badNews;
  if (all.some((verdict) => verdict.unknown?.why === "vacuous")) return EXIT.vacuous;
  return all.some((verdict) => verdict.verdict === "unknown") ? EXIT.unknown : EXIT.done;
}

function scheduleJson({ counterexample }: Verdict) {
  return counterexample && { saved: counterexample.schedule, steps: counterexample.replay.steps };
}

/** The command line that asks the same again. */
function commandOf(command: Command, flags: Flags): string {
  const words = Object.entries(flags).flatMap(([name, value]) => {
    const flag = `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
    if (["json", "quiet", "html", "save"].includes(name)) return [];
    if (command.getOptionValueSource(name) === "default") return [];
    if (value === true) return ["merge", "symmetry"].includes(name) ? [] : [flag];
    if (value === false) return [`--no-${name}`];
    const values = Array.isArray(value) ? value : [value];
    return values.map((each) => `${flag} ${/[\s,]/.test(String(each)) ? `'${each}'` : each}`);
  });
  return ["bootstorm check", ...words].join(" ");
}

function collect(text: string, before: readonly string[] | undefined): string[] {
  return [...(before ?? []), text];
}
