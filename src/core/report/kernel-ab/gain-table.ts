// Predicted beside measured, and the verdicts, as tables.
import { type Gain, isSamePlace, type PredictedArmPoint } from "../../analyze/kernel-ab/gains.ts";
import type { LoadPlace } from "../../analyze/kernel-ab/result.ts";
import { formatShort, threeDigits } from "../../units.ts";
import type { Column, Table } from "../table.ts";
import type { KernelAbReport } from "./input.ts";
import { armsInOrder, gainAt, mainPlaces } from "./ranking.ts";
import { SAFETY_WORDS, safetyOf, verdictMark } from "./safety.ts";
import { GAIN_WORDS, gainText, notMeasured, placeText } from "./words.ts";

/** Below it a p is not told exactly. */
const P_LEAST = 0.001;

/** Where most is at stake: a table a load, with the most threads, kernels as the picture has them. */
export function mainGainTables(report: KernelAbReport): readonly Table[] {
  const places = mainPlaces(report.result);
  return places.map((place, index) => {
    const rows = armsInOrder(report).flatMap((arm) => gainAt(report, arm, place) ?? []);
    const table = gainTable(report, rows, placeText(place));
    return index === places.length - 1 ? table : { ...table, note: undefined };
  });
}

/** Every load, guest and number of threads. */
export function allGainTable(report: KernelAbReport): Table {
  const { rows } = report.gains;
  const table = gainTable(report, rows, "Every gain");
  const [kernel, ...others] = table.columns;
  const columns = [
    kernel!,
    text(
      "load",
      rows.map(({ load }) => load),
    ),
    text("on", rows.map(onText)),
    ...others,
  ];
  return { ...table, columns, note: `on: threads of vCPUs. ${table.note}` };
}

function gainTable(report: KernelAbReport, rows: readonly Gain[], caption: string): Table {
  const { arms } = report.result;
  return {
    caption: `${caption}: throughput over that of ${arms[0]!.name}`,
    columns: [
      kernels(
        report,
        rows.map(({ arm }) => arm),
      ),
      number(
        "predicted",
        rows.map(({ predicted }) => times(predicted?.value)),
      ),
      number(
        "measured",
        rows.map(({ measured }) => times(measured?.value)),
      ),
      text("interval", rows.map(intervalText)),
      number(
        "p",
        rows.map(({ measured }) => pText(measured?.p)),
      ),
      text(
        "found",
        rows.map((row) =>
          row.measured ? FOUND[row.measured.verdict] : notMeasured(report, row.arm, row),
        ),
      ),
    ],
    empty: "Nothing was compared.",
    note: "interval: 95 %. p: Wilcoxon's signed-rank test of pairs of boots, adjusted for all comparisons (Holm); a difference is below 0.05.",
  };
}

const FOUND = { ...GAIN_WORDS, "no-difference": "no diff.", "too-few": "too few" } as const;

/** The checker's answers, a row a kernel, the base first. */
export function verdictTable(report: KernelAbReport): Table {
  const { arms } = report.result;
  const order = [0, ...armsInOrder(report)];
  const verdictsOf = (arm: number) => (report.verdicts[arm] ?? []).map(({ verdict }) => verdict);
  const operations = [
    ...new Set(order.flatMap((arm) => verdictsOf(arm).map((each) => each.operations))),
  ];
  const design = (arm: number) => {
    const own = arms[arm]!.design;
    if (own === undefined) return "not known";
    return own.start === "4k" ? `${own.name}, from 4 KiB` : own.name;
  };
  return {
    caption: "What check says of each, every interleaving tried",
    columns: [
      kernels(report, order),
      {
        ...text(
          "is",
          order.map((arm) =>
            SAFETY_WORDS[safetyOf(report.verdicts[arm] ?? [])].replace(
              " if each page has one owner",
              " if own",
            ),
          ),
        ),
        optional: true,
      },
      ...operations.map((name) =>
        text(
          name,
          order.map((arm) => {
            const own = verdictsOf(arm).find((each) => each.operations === name);
            return own === undefined ? "?" : verdictMark(own);
          }),
        ),
      ),
      { ...text("design", order.map(design)), optional: true },
    ],
    empty: "No verdict was asked for.",
    note: verdictNote(report),
  };
}

function verdictNote(report: KernelAbReport): string {
  const broken = report.verdicts.flatMap((own) =>
    own.flatMap(({ verdict }) => verdict.counterexample?.law ?? []),
  );
  const laws = [...new Map(broken.map((law) => [law.id, law])).values()];
  const ownOnly = report.verdicts.some((own) => safetyOf(own) === "safe-if-own");
  return [
    ...laws.map(({ id, title }) => `${id}: ${title}.`),
    ...(laws.length === 0 ? [] : ["A broken law stands with the steps to it."]),
    ...(ownOnly
      ? ["if own: if each page has one owner, as asm/set_memory.h asks of callers."]
      : []),
    "A verdict is of the design: that the C does what the design says is a claim of the patch.",
  ].join(" ");
}

/** What each kernel did, with prediction beside it where there is one. */
export function pointTable(report: KernelAbReport): Table {
  const { result, prediction } = report;
  const predicted = "why" in prediction ? [] : prediction.points;
  const rows = result.points.flatMap(({ arms, ...place }) =>
    arms.flatMap((point, arm) => (point === undefined ? [] : [{ ...place, arm, point }])),
  );
  const model = rows.map((row) =>
    predicted.find((each) => each.arm === row.arm && isSamePlace(each, row)),
  );
  return {
    caption: "Operations a second of all threads together, and the time of one",
    columns: [
      kernels(
        report,
        rows.map(({ arm }) => arm),
      ),
      text(
        "load",
        rows.map(({ load }) => load),
      ),
      text("on", rows.map(onText)),
      number(
        "ops/s",
        rows.map(({ point }) => formatShort(point.opsPerSecond.median)),
      ),
      text(
        "from to",
        rows.map(
          ({ point: { opsPerSecond: y } }) => `${formatShort(y.low)} to ${formatShort(y.high)}`,
        ),
      ),
      ...(model.every((each) => each === undefined) ? [] : [number("model", model.map(modelText))]),
      optional(
        "boots",
        rows.map(({ point }) => `${point.opsPerSecond.n}`),
      ),
      optional(
        "limited",
        rows.map(({ point }) => `${point.limited}`),
      ),
      optional(
        "mean, µs",
        rows.map(({ point }) => us(point.meanNs.median)),
      ),
      optional(
        "p50, µs",
        rows.map(({ point }) => us(point.latencyNs.p50)),
      ),
      optional(
        "p99, µs",
        rows.map(({ point }) => us(point.latencyNs.p99)),
      ),
    ],
    empty: "Nothing was measured.",
    note: `on: threads of vCPUs. ops/s: the median of the boots. from to: its 95 % interval; below 6 boots the smallest and the largest.${
      model.some((each) => each?.fitted) ? " f: the model has been fitted to this." : ""
    } limited: boots in which the time limit ended the threads before they had done all.`,
  };
}

function intervalText({ measured }: Gain): string {
  if (measured?.low === undefined || measured.high === undefined) return "";
  return `${threeDigits(measured.low)} to ${threeDigits(measured.high)}`;
}

function times(value: number | undefined): string {
  return value === undefined ? "" : gainText({ value });
}

function pText(p: number | undefined): string {
  if (p === undefined) return "";
  return p < P_LEAST ? `<${P_LEAST}` : p.toFixed(3);
}

function modelText(point: PredictedArmPoint | undefined): string {
  if (point === undefined) return "";
  return `${formatShort(point.opsPerSecond)}${point.fitted ? " f" : ""}`;
}

function us(ns: number): string {
  return threeDigits(ns / 1e3);
}

function onText({ threads, vcpus }: LoadPlace): string {
  return `${threads} of ${vcpus}`;
}

/** Names are cut in narrow terminals, numbers never. */
function kernels({ result }: KernelAbReport, arms: readonly number[]): Column {
  const cells = arms.map((arm) => result.arms[arm]!.name);
  return { header: "kernel", cells, align: "left", code: true };
}

function text(header: string, cells: readonly string[]): Column {
  return { header, cells, align: "left", whole: true };
}

function number(header: string, cells: readonly string[]): Column {
  return { header, cells, align: "right" };
}

function optional(header: string, cells: readonly string[]): Column {
  return { ...number(header, cells), optional: true };
}
