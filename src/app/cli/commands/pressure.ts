import type { Command } from "commander";
import { pressureReport } from "../../../core/report/pressure-report.ts";
import { terminalReport } from "../../../core/report/terminal-report.ts";
import { addLoadFlags, loadOptions, type LoadFlags } from "../load-flags.ts";
import { runLoad } from "../load.ts";
import { runCommand, withCommonFlags } from "../run.ts";
import { textSize } from "../terminal.ts";

export function define(command: Command): void {
  command.description(
    "Make the kernel change its direct map page by page, with 1 to N processes, and say how that\nscales. Uses memfd_secret(2), which needs neither confidential VMs nor root.",
  );
  withCommonFlags(addLoadFlags(command))
    .addHelpText(
      "after",
      `
Examples:
  bootstorm pressure                          1, 2, 4 … processes up to the CPUs of this host
  bootstorm pressure --processes 1,16 --yes   two points, without asking
  bootstorm pressure --no-record --json       the curve alone, as JSON`,
    )
    .action(() =>
      runCommand(command, async (session) => {
        const options = loadOptions(command.opts<LoadFlags>());
        const run = await runLoad(session, options);
        const report = pressureReport(run.pressure, run.notRecorded);
        return {
          input: options,
          result: { ...run.pressure, rejects: run.rejects },
          caveats: report.caveats,
          text: terminalReport(report, textSize()),
        };
      }),
    );
}
