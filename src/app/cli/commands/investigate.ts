// The whole job on this machine. Rooms it passes: host/probe (what can this host do), host/secretmem
// and host/tracefs (load and recording), core/analyze (what it means), core/report (what is read).
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import type { Command } from "commander";
import type { Missing } from "../../../core/analyze/investigate.ts";
import { BootstormError } from "../../../core/error.ts";
import { writeTrace } from "../../../core/event/codec.ts";
import type { Trace } from "../../../core/event/schema.ts";
import { hostFacts } from "../../../core/facts/host-facts.ts";
import { caveatsOf } from "../../../core/report/caveats.ts";
import { htmlPage } from "../../../core/report/html-page.ts";
import { investigateReport } from "../../../core/report/investigate-report.ts";
import { proseText } from "../../../core/report/prose.ts";
import { terminalReport } from "../../../core/report/terminal-report.ts";
import { probeHost } from "../../../host/probe/host.ts";
import { createRunFolder, writeFileAtomic } from "../../../host/store/atomic.ts";
import { conclude, loadCommand } from "../conclude.ts";
import { type LoadOptions, type LoadRun, runLoad } from "../load.ts";
import { addLoadFlags, type LoadFlags, loadOptions } from "../load-flags.ts";
import { maker } from "../maker.ts";
import { missingOf } from "../missing.ts";
import { runCommand, type Session, withCommonFlags } from "../run.ts";
import { textSize } from "../terminal.ts";

interface Flags extends LoadFlags {
  readonly out?: string;
}

export function define(command: Command): void {
  command.description(
    "Do the whole job on this machine: see what the host can do, load its direct map, record who\nwaits for which lock, and write a report. Without root it does what it can and says what\nit could not see.",
  );
  withCommonFlags(
    addLoadFlags(command).option(
      "--out <folder>",
      "where the report goes (default: a new folder in bootstorm-runs)",
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
        const options = loadOptions(flags);
        // Before the work, so that a full or forbidden disk is known before a minute is spent.
        const folder = await createRunFolder(flags.out ?? defaultFolder());

        session.progress.step("looking at this host");
        const host = hostFacts(await probeHost({ signal: session.signal, kvm: false }));
        const load = await tryLoad(session, options);
        const reproduce = ["bootstorm doctor", loadCommand("investigate", options)];
        const result = conclude({ load, host, reproduce });
        const report = investigateReport(result, maker());

        session.progress.step("writing the report");
        const page = resolve(folder, "report.html");
        await writeFileAtomic(page, htmlPage(report), { shared: false });
        if ("recording" in load) {
          const { timed, witness } = load.recording;
          await keepTrace(resolve(folder, "waits.bst"), timed);
          await keepTrace(resolve(folder, "waits-with-stacks.bst"), witness);
        }
        return {
          input: { ...options, out: folder },
          result,
          caveats: caveatsOf(result).map(proseText),
          text: `${terminalReport(report, textSize())}\nReport: ${pathToFileURL(page)}\n`,
        };
      }),
    );
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

function keepTrace(path: string, trace: Trace): Promise<void> {
  return writeFileAtomic(path, writeTrace(trace), { shared: false });
}

function defaultFolder(): string {
  const stamp = new Date().toISOString().slice(0, 19).replaceAll(":", "-");
  return `bootstorm-runs/${stamp}`;
}
