// What a run says, told from what was read of its folder: also by the run itself, so that whoever reads
// the folder later reads the same.
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { type BootsResult, bootsResult } from "../../../core/analyze/boots-result.ts";
import { EXIT } from "../../../core/error.ts";
import { bootsCaveats } from "../../../core/report/boots-caveats.ts";
import { bootsReport } from "../../../core/report/boots-report.ts";
import { htmlPage } from "../../../core/report/html-page.ts";
import { proseText } from "../../../core/report/prose.ts";
import { terminalReport } from "../../../core/report/terminal-report.ts";
import type { RunFolder } from "../../../host/store/run-folder.ts";
import { maker } from "../maker.ts";
import type { Answer } from "../run.ts";
import { textSize } from "../terminal.ts";
import type { ReadRun } from "./run-file.ts";

/** The same of a run that is just over and of one that is read again. */
export function resultOf({ rounds, traces, rejects, notes }: ReadRun): BootsResult {
  return bootsResult(rounds, traces, { seed: notes.seed, rejects });
}

/**
 * @param to  where the page is written
 * @throws BootstormError CANNOT_WRITE
 */
export async function stormAnswer(run: ReadRun, to: RunFolder): Promise<Answer> {
  const result = resultOf(run);
  const { input, obtained, reproduce } = run.notes;
  const report = bootsReport(result, maker(), { obtained, reproduce });
  await to.write("report.html", htmlPage(report));
  const page = pathToFileURL(resolve(to.path, "report.html"));
  return {
    input,
    result,
    caveats: bootsCaveats(result).map(proseText),
    text: `${terminalReport(report, textSize())}\nReport: ${page}\n`,
    exit: someReady(result) ? EXIT.done : EXIT.badNews,
  };
}

function someReady({ points }: BootsResult): boolean {
  return points.some(({ boots, failed }) => failed < boots);
}
