import type { Command } from "commander";
import { caveatsOf } from "../../../core/report/caveats.ts";
import { investigateReport } from "../../../core/report/investigate-report.ts";
import { proseText } from "../../../core/report/prose.ts";
import { terminalReport } from "../../../core/report/terminal-report.ts";
import { conclude, loadCommand } from "../load/conclude.ts";
import { addLoadFlags, type LoadFlags, loadOptions } from "../load/flags.ts";
import { runLoad } from "../load/load.ts";
import { maker } from "../maker.ts";
import { runCommand, withCommonFlags } from "../run.ts";
import { textSize } from "../terminal.ts";

export function define(command: Command): void {
  command.description(
    "Make the kernel change its direct map page by page, with 1 to N processes, and say how that " +
      "scales. Uses memfd_secret(2), which needs neither confidential VMs nor root.",
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
    .action((flags: LoadFlags) =>
      runCommand(command, async (session) => {
        const options = loadOptions(flags);
        const load = await runLoad(session, options);
        const result = conclude({ load, host: [], reproduce: [loadCommand("pressure", options)] });
        return {
          input: options,
          result: { ...load.pressure, findings: result.findings, rejects: load.rejects },
          caveats: caveatsOf(result).map(proseText),
          text: terminalReport(investigateReport(result, maker()), textSize()),
        };
      }),
    );
}
