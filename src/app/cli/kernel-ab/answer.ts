// What a run says, told from what was read of its folder: also by the run itself, so that whoever reads
// the folder later reads the same.
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { kernelGains } from "../../../core/analyze/kernel-ab/gains.ts";
import { kernelAbResult } from "../../../core/analyze/kernel-ab/kernel-ab-result.ts";
import { lockMoves } from "../../../core/analyze/kernel-ab/lock-moves.ts";
import { TABLE_OPERATIONS } from "../../../core/check/question.ts";
import { EXIT } from "../../../core/error.ts";
import type { KernelRun } from "../../../core/event/kernel-run.ts";
import type { TimedVerdict } from "../../../core/report/check-report.ts";
import { htmlPage } from "../../../core/report/html-page.ts";
import { kernelAbCaveats } from "../../../core/report/kernel-ab/caveats.ts";
import { gainChart } from "../../../core/report/kernel-ab/gain-chart/gain-chart.ts";
import type { KernelAbReport } from "../../../core/report/kernel-ab/input.ts";
import { kernelAbReport } from "../../../core/report/kernel-ab/kernel-ab-report.ts";
import { markupText } from "../../../core/report/markup.ts";
import { proseText } from "../../../core/report/prose.ts";
import { standaloneSvg } from "../../../core/report/svg.ts";
import { terminalReport } from "../../../core/report/terminal-report.ts";
import type { RunFolder } from "../../../host/store/run-folder.ts";
import { verdictJson } from "../check/json.ts";
import { usualVerdicts } from "../check/usual-verdicts.ts";
import { maker } from "../maker.ts";
import type { Answer, Session } from "../run.ts";
import { textSize } from "../terminal.ts";
import { knownDesign, predictKernels } from "./predict.ts";
import type { ReadKernelRun } from "./run-file.ts";

/**
 * Measured beside predicted, and the checker's verdicts.
 * @param to  where the page is written; absent: nowhere
 * @throws BootstormError CANNOT_WRITE, and what the checker throws
 */
export async function kernelAbAnswer(
  session: Session,
  read: ReadKernelRun,
  to?: RunFolder,
): Promise<Answer> {
  const told = await reportInput(session, read);
  const report = kernelAbReport(told, maker());
  const { result, prediction, gains, moves, verdicts } = told;
  const lines = [terminalReport(report, textSize())];
  if (to !== undefined) {
    await to.write("report.html", htmlPage(report));
    if (result.comparisons.length > 0) {
      const drawing = standaloneSvg(gainChart(told, { width: PICTURE_WIDTH }), "gains");
      await to.write("gains.svg", markupText(drawing));
    }
    lines.push(`Report: ${pathToFileURL(resolve(to.path, "report.html"))}\n`);
  }
  return {
    input: read.notes.input,
    result: {
      ...result,
      gains,
      lockMoves: moves,
      prediction,
      verdicts: verdicts.map((own) => own.map(verdictJson)),
    },
    caveats: kernelAbCaveats(told).map(proseText),
    text: lines.join("\n"),
    exit: result.arms.every(({ bootsDone }) => bootsDone > 0) ? EXIT.done : EXIT.badNews,
  };
}

/** Of the picture in a file of its own, for a mail or a slide. */
const PICTURE_WIDTH = 860;

/** All that the report tells; computed anew from the boots whenever a run is read. */
async function reportInput(
  session: Session,
  { run, boots, rejects, notes }: ReadKernelRun,
): Promise<KernelAbReport> {
  const result = kernelAbResult(run, boots);
  const verdicts = await armVerdicts(session, run);
  const prediction = await predictKernels(session, run, boots, result);
  return {
    run,
    result,
    prediction,
    gains: kernelGains(result, prediction),
    moves: lockMoves(result),
    verdicts,
    rejects,
    obtained: notes.obtained,
    reproduce: notes.reproduce,
  };
}

/** By arm; empty where it is not known which design it is. */
async function armVerdicts(
  session: Session,
  { arms }: KernelRun,
): Promise<readonly (readonly TimedVerdict[])[]> {
  const designs = arms.map(({ design }) => knownDesign(design));
  const asked = designs.flatMap((design) => design ?? []);
  if (asked.length === 0) return arms.map(() => []);
  const verdicts = await usualVerdicts(
    session,
    asked.map(({ name, start }) => (start === "4k" ? { name, start } : name)),
    TABLE_OPERATIONS,
  );
  const count = TABLE_OPERATIONS.length;
  let next = 0;
  return designs.map((design) => {
    if (design === undefined) return [];
    const from = next * count;
    next += 1;
    return verdicts.slice(from, from + count);
  });
}
