// The report of `calibrate`: the costs, how well they describe and predict, where they hold.
import {
  againstDelay,
  againstProcesses,
  type ModelledPoint,
} from "../analyze/calibration-curve.ts";
import type { CalibrationResult } from "../analyze/calibration-result.ts";
import { largestFile } from "../analyze/free-sweep.ts";
import type { CostFile } from "../kernel/cost/cost-file.ts";
import { type ModelSeries, modelCurve } from "./calibration-chart.ts";
import { calibrationAnswer, calibrationFindings, TRANSFER } from "./calibration-sentence.ts";
import { costFileTable, costTable, sweepTable } from "./calibration-table.ts";
import { visibilityCaveats } from "./caveats.ts";
import type { Curve } from "./curve.ts";
import { curveChart } from "./curve-chart.ts";
import { type Fact, loadFacts } from "./footer.ts";
import type { Maker } from "./investigate-report.ts";
import { element, group } from "./markup.ts";
import { code, type Prose, prose } from "./prose.ts";
import type { Report, Section } from "./report.ts";
import {
  caveatSection,
  figure,
  listSection,
  obtainedSection,
  reproduceSection,
  tableSection,
} from "./sections.ts";
import { kernelInShort } from "./sentence.ts";
import { terminalPlot } from "./terminal-plot.ts";
import { counted } from "./words.ts";

export interface CalibrateReport {
  readonly result: CalibrationResult;
  /** What a scenario can name. */
  readonly costs: CostFile;
  /** Where it is. */
  readonly file: string;
  readonly reproduce: readonly string[];
  readonly maker: Maker;
}

export function calibrateReport({
  result,
  costs,
  file,
  reproduce,
  maker,
}: CalibrateReport): Report {
  const { kernel, calibration, points } = result;
  const curves = curvesOf(result);
  return {
    title: `bootstorm: costs of ${kernelInShort(kernel)}`,
    subject: `${kernelInShort(kernel)}, ${kernel.cpuModel}`,
    answer: calibrationAnswer(result),
    findings: [...calibrationFindings(result), ...(hasLock(costs) ? [] : [NO_LOCK])],
    sections: [
      tableSection("costs", "What things cost here", costTable(calibration)),
      curveSection(curves),
      tableSection("points", "Every point", sweepTable(points, calibration.points)),
      listSection("transfer", "What these numbers say of other loads", TRANSFER),
      tableSection("file", `What scenarios get from ${file}`, costFileTable(costs)),
      caveatSection(calibrationCaveats(result)),
      obtainedSection(factsOf(result)),
      reproduceSection(reproduce),
    ],
    colophon: `Made by bootstorm ${maker.version}, ${maker.at}.`,
  };
}

function hasLock({ costs }: CostFile): boolean {
  return costs.readPte !== undefined;
}

const NO_LOCK = prose`The hold may as well be none: the file leaves the lock's costs to the table it is based on.`;

/** What this run could not see, and what to doubt. */
export function calibrationCaveats({
  missing,
  recorded,
  calibration,
  disturbed,
}: CalibrationResult): Prose[] {
  return [
    ...missing.map(({ what, why, remedy }) =>
      remedy === undefined
        ? prose`${what}: ${why}`
        : prose`${what}: ${why}. To allow it: ${code(remedy)}`,
    ),
    ...(recorded === undefined ? [] : visibilityCaveats(recorded.visibility)),
    ...(disturbed === 0
      ? []
      : [
          prose`${counted(disturbed, "round")} count although processes lost their CPUs to others meanwhile, five times in a row: this machine is busy.`,
        ]),
    ...(calibration.kneeProcesses.value > calibration.cpus
      ? [
          prose`The lock does not saturate with the CPUs of this host: its hold is read from how little processes disturb each other, and beyond ${calibration.cpus} processes the model extrapolates.`,
        ]
      : []),
  ];
}

const MODELS: readonly ModelSeries<ModelledPoint>[] = [
  { name: "left out", colour: "amber", ns: (point) => point.leftOutNs },
  { name: "fitted", colour: "blue", ns: (point) => point.fittedNs },
];

function curvesOf(result: CalibrationResult): readonly Curve[] {
  const most = Math.max(...result.points.map((point) => point.processes));
  const smallest = Math.min(...result.points.map((point) => point.pagesPerFile));
  const x = (point: ModelledPoint) => point.x;
  const curves = [
    {
      points: againstProcesses(result),
      title: `Files of ${largestFile(result.points)} pages, freed without delay`,
      xLabel: "processes",
    },
    {
      points: againstDelay(result),
      title: `${most} processes, files of ${smallest} pages, freed with a delay after each`,
      xLabel: "delay, ns",
    },
  ];
  return curves
    .filter(({ points }) => points.length > 1)
    .map(({ points, ...words }) => modelCurve(points, MODELS, { ...words, x }));
}

function curveSection(curves: readonly Curve[]): Section {
  return {
    id: "curves",
    title: "Measured, fitted, and predicted unseen",
    html: group(
      ...curves.flatMap((curve, i) => [
        element("p", { class: "muted caption" }, curve.title),
        figure((size) => curveChart(curve, size), `fit-${i}`),
      ]),
    ),
    text: ({ width, ascii }) =>
      curves
        .map((curve) => `${curve.title}\n${terminalPlot(curve, { width, height: 16, ascii })}`)
        .join("\n\n"),
  };
}

function factsOf(result: CalibrationResult): readonly Fact[] {
  const rejected = result.rejects.map(({ why, count }) => `${count} (${why})`).join(", ");
  return [...loadFacts(result), { label: "rejected", text: rejected }];
}
