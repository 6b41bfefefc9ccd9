// The whole job on this machine. Rooms it passes: host/probe (what can this host do), host/secretmem
// and host/tracefs (load and recording), core/analyze (what it means), core/report (what is read).
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import type { Command } from "commander";
import type { Missing } from "../../../core/analyze/investigate.ts";
import { BootstormError } from "../../../core/error.ts";
import { writeTrace } from "../../../core/event/codec.ts";
import { cpaGeneration, hostFacts } from "../../../core/facts/host-facts.ts";
import { bootsParts } from "../../../core/report/boots-steps.ts";
import { caveatsOf } from "../../../core/report/caveats.ts";
import { kernelVerdictSentence, verdictTableSection } from "../../../core/report/check-report.ts";
import { htmlPage } from "../../../core/report/html-page.ts";
import { investigateReport, type MoreSteps } from "../../../core/report/investigate-report.ts";
import { predictionParts } from "../../../core/report/prediction-section.ts";
import { proseText } from "../../../core/report/prose.ts";
import { talkParts } from "../../../core/report/talk-story.ts";
import { terminalReport } from "../../../core/report/terminal-report.ts";
import { probeHost } from "../../../host/probe/host.ts";
import type { RunFolder } from "../../../host/store/run-folder.ts";
import { fileName } from "../arguments.ts";
import { predict } from "../calibrate/predict.ts";
import {
  type KernelVerdicts,
  kernelVerdicts,
  kernelVerdictsJson,
} from "../check/kernel-verdicts.ts";
import { conclude, loadCommand } from "../load/conclude.ts";
import { addLoadFlags, type LoadFlags, loadOptions } from "../load/flags.ts";
import { type LoadOptions, type LoadRun, runLoad } from "../load/load.ts";
import { maker } from "../maker.ts";
import { missingOf } from "../missing.ts";
import { createOutFolder } from "../out-folder.ts";
import { type Answer, runCommand, type Session, withCommonFlags } from "../run.ts";
import { talkStory, talkStoryJson } from "../simulate/talk-story.ts";
import { requireNoRun } from "../storm/run-file.ts";
import { NO_STORM, STORM_FOLDER, shortStorm } from "../storm/short.ts";
import { textSize } from "../terminal.ts";

interface Flags extends LoadFlags {
  readonly storm: boolean;
  readonly out?: string;
}

export function define(command: Command): void {
  command.description(
    "Do the whole job on this machine: see what the host can do, load its direct map, record who " +
      "waits for which lock, and write a report. Without root it does what it can and says what " +
      "it could not see.",
  );
  withCommonFlags(
    addLoadFlags(command)
      .option("--no-storm", "do not boot real VMs")
      .option(
        "--out <folder>",
        "where the report goes (default: a new folder in bootstorm-runs)",
        fileName,
      ),
  )
    .addHelpText(
      "after",
      `
Examples:
  sudo bootstorm investigate                 everything, with defaults
  bootstorm investigate --no-record          without root: the curve, not the locks
  sudo bootstorm investigate --yes --json    for a script`,
    )
    .action((flags: Flags) =>
      runCommand(command, async (session) => {
        const options = { ...loadOptions(flags), storm: flags.storm };
        const { out } = flags;
        if (options.storm && out !== undefined) requireNoRun(join(out, STORM_FOLDER));
        // Before the work, so that a full or forbidden disk is known before a minute is spent.
        const folder = await createOutFolder(out);
        try {
          return await investigate(session, options, folder);
        } catch (error) {
          folder.discard();
          throw error;
        }
      }),
    );
}

async function investigate(
  session: Session,
  options: LoadOptions & { readonly storm: boolean },
  folder: RunFolder,
): Promise<Answer> {
  session.progress.step("looking at this host");
  const readings = await probeHost({ signal: session.signal, kvm: false });
  const load = await tryLoad(session, options);
  const boots = options.storm ? await shortStorm(session, options, folder) : NO_STORM;
  const prediction = await predict(session, options, load);
  const check = await kernelVerdicts(session, cpaGeneration(readings).generation);
  const talk = await talkStory(session);
  const reproduce = [
    "bootstorm doctor",
    `${loadCommand("investigate", options)}${options.storm ? "" : " --no-storm"}`,
    ...("why" in boots ? [] : [boots.command]),
    "bootstorm check",
    talk.command,
  ];
  const concluded = conclude({ load, host: hostFacts(readings), reproduce });
  const missing = [...concluded.missing, ...("why" in boots ? [boots] : [])];
  const result = { ...concluded, missing };
  const more = together(
    "why" in boots ? NOTHING : bootsParts(boots.result),
    predictionParts(prediction),
    verdictParts(check),
    talkParts(talk),
  );
  const report = investigateReport(result, maker(), more);

  session.progress.step("writing the report");
  if ("recording" in load) {
    const { timed, witness } = load.recording;
    await folder.write("waits.bst", writeTrace(timed));
    await folder.write("waits-with-stacks.bst", writeTrace(witness));
  }
  await folder.write("report.html", htmlPage(report));
  session.signal.throwIfAborted();
  const page = pathToFileURL(resolve(folder.path, "report.html"));
  return {
    input: { ...options, out: folder.path },
    result: {
      ...result,
      ...("why" in boots ? {} : { storm: boots.result }),
      prediction,
      ...(check === undefined ? {} : { check: kernelVerdictsJson(check) }),
      talk: talkStoryJson(talk),
    },
    caveats: [...caveatsOf(result), ...more.caveats].map(proseText),
    text: `${terminalReport(report, textSize())}\nReport: ${page}\n`,
  };
}

const NOTHING: MoreSteps = { findings: [], sections: [] };

/** In this order. */
function together(...steps: readonly MoreSteps[]): Required<MoreSteps> {
  return {
    caveats: steps.flatMap(({ caveats = [] }) => caveats),
    findings: steps.flatMap(({ findings }) => findings),
    sections: steps.flatMap(({ sections }) => sections),
  };
}

/** What the checker adds; nothing where the kernel's lock design is not known. */
function verdictParts(check: KernelVerdicts | undefined): MoreSteps {
  if (check === undefined) return NOTHING;
  const { verdicts, own, without } = check;
  return {
    findings: [kernelVerdictSentence(verdicts, own, without)],
    sections: [verdictTableSection(verdicts)],
  };
}

/** A host that cannot run the load still gets its report: what is missing, and how to enable it. */
async function tryLoad(session: Session, options: LoadOptions): Promise<LoadRun | Missing> {
  try {
    return await runLoad(session, options);
  } catch (error) {
    session.signal.throwIfAborted();
    if (!(error instanceof BootstormError)) throw error;
    return missingOf("the load", error);
  }
}
