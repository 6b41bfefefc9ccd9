// The calibrated prediction in the report of `investigate`.
import type { PredictedPoint, Prediction, PredictionOutcome } from "../analyze/prediction.ts";
import { formatNs, threeDigits } from "../units.ts";
import { type ModelSeries, modelCurve } from "./calibration-chart.ts";
import { curveChart } from "./curve-chart.ts";
import type { MoreSteps } from "./investigate-report.ts";
import { element, group } from "./markup.ts";
import { wrap } from "./plain-text.ts";
import { code, type Prose, prose, proseMarkup, proseText } from "./prose.ts";
import { figure } from "./sections.ts";
import { terminalPlot } from "./terminal-plot.ts";
import { processes } from "./words.ts";

/** A sentence beside the findings, and a section with the curve. */
export function predictionParts(outcome: PredictionOutcome): MoreSteps {
  if ("why" in outcome) {
    const none = prose`Nothing was predicted: ${outcome.why}.`;
    return { findings: [], sections: [section([none])] };
  }
  return { findings: [predictionSentence(outcome)], sections: [section(words(outcome), outcome)] };
}

/** What the model says of the most processes, which it has not seen at full speed. */
function predictionSentence({ processes: most, curve }: Prediction): Prose {
  const last = curve.at(-1)!;
  return prose`A model fitted to fewer processes and to slowed ones predicts ${formatNs(last.predictedNs)} a page for ${processes(most)} at full speed; measured: ${measuredText(last)}, ${offText(last)}.`;
}

function words({ holdNs, kneeProcesses, points, processes: most }: Prediction): readonly Prose[] {
  const each = points.map(
    (point) =>
      prose`Files of ${point.pagesPerFile} pages, ${processes(most)}: predicted ${formatNs(point.predictedNs)} a page, measured ${measuredText(point)}: ${offText(point)}.`,
  );
  return [
    prose`The simulator was fitted to pages freed by fewer processes, and by ${processes(most)} with a busy wait between files; what ${most} do without that wait it has not seen.`,
    ...each,
    prose`Fitted${holdNs.identified === "well" ? "" : ", weakly identified"}: the lock is held ${formatNs(holdNs.ns)} (${formatNs(holdNs.low)} to ${formatNs(holdNs.high)}) a page, hand-off included, and saturates at ${threeDigits(kneeProcesses.value)} processes. More of it: ${code("bootstorm calibrate")}.`,
  ];
}

const MODEL: readonly ModelSeries<PredictedPoint>[] = [
  { name: "model", colour: "blue", ns: (point) => point.predictedNs },
];

function section(said: readonly Prose[], prediction?: Prediction) {
  const curve =
    prediction &&
    modelCurve(prediction.curve, MODEL, {
      title: `Time of a page against processes; ${prediction.processes} at full speed not seen by the fit`,
      xLabel: "processes",
      x: (point) => point.processes,
    });
  return {
    id: "prediction",
    title: "What a calibrated model predicts of this host",
    html: group(
      ...(curve === undefined ? [] : [figure((size) => curveChart(curve, size), "prediction")]),
      ...said.map((one) => element("p", {}, proseMarkup(one))),
    ),
    text: ({ width, ascii }: { width: number; ascii: boolean }) =>
      [
        ...(curve === undefined ? [] : [terminalPlot(curve, { width, height: 16, ascii }), ""]),
        ...said.map((one) => wrap(proseText(one), width)),
      ].join("\n"),
  };
}

function measuredText({ measuredNs }: PredictedPoint): string {
  return `${formatNs(measuredNs.median)} (${formatNs(measuredNs.low)} to ${formatNs(measuredNs.high)})`;
}

/** `2.1 % too high`. */
function offText({ predictedNs, measuredNs }: PredictedPoint): string {
  const off = (predictedNs / measuredNs.median - 1) * 100;
  return `${threeDigits(Math.abs(off))} % too ${off < 0 ? "low" : "high"}`;
}
