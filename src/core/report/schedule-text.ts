// A counterexample to read, or to paste into a mail: one column a CPU, what the hardware may hold
// below each step that changes it, at most 79 columns wide.
import type { Counterexample } from "../check/check.ts";
import type { ScheduleStep } from "../check/counterexample.ts";
import { REQUESTS } from "../kernel/request.ts";
import { machineChanges, machineState } from "./machine-changes.ts";
import { inTerms, type Terms } from "./page-table-terms.ts";
import { padEnd, padStart, wrap } from "./plain-text.ts";

const WIDTH = 79;
const NUMBER_COLUMNS = 4;
/** Columns narrower than this break kernel names; then CPUs share one column. */
const CPU_COLUMNS_MIN = 23;

/** Lines without trailing blanks, no newline at the end. */
export function scheduleText(counterexample: Counterexample, terms: Terms): string {
  const { programs, replay, laws } = counterexample;
  const layout = layoutOf(programs.length);
  const lines = [headText(programs, layout), ""];
  for (const each of machineState(replay.initial)) {
    lines.push(hang(`= at the start ${inTerms(each, terms)}`, NUMBER_COLUMNS, WIDTH));
  }
  let before = replay.initial;
  replay.steps.forEach((step, index) => {
    lines.push(stepText(step, index, layout, terms));
    const broken = index === replay.steps.length - 1 ? laws.map((law) => `✗ ${law.id}`) : [];
    for (const change of [...machineChanges(before, step.after), ...broken]) {
      lines.push(hang(`= ${inTerms(change, terms)}`, NUMBER_COLUMNS, WIDTH));
    }
    before = step.after;
  });
  return lines
    .join("\n")
    .split("\n")
    .map((line) => line.trimEnd())
    .join("\n");
}

/** A request as the call it stands for. */
export function requestText(name: string, cpu: number): string {
  const request = REQUESTS.get(name);
  if (request === undefined) return name;
  if (request.via === "fork") return `${request.fn}()`;
  return `${request.fn}(${request.scope === "page" ? `page ${cpu}` : "2M"})`;
}

interface Layout {
  /** Columns of each CPU; 0 when they share one and steps name their CPU. */
  readonly cpuColumns: number;
}

function layoutOf(cpus: number): Layout {
  const cpuColumns = Math.floor((WIDTH - NUMBER_COLUMNS) / cpus);
  return { cpuColumns: cpuColumns >= CPU_COLUMNS_MIN ? cpuColumns : 0 };
}

function headText(programs: readonly (readonly string[])[], { cpuColumns }: Layout): string {
  const heads = programs.map(
    (requests, cpu) => `CPU ${cpu}: ${requests.map((name) => requestText(name, cpu)).join(", ")}`,
  );
  if (cpuColumns === 0) return heads.join("\n");
  const cells = heads.map((head) => wrap(head, cpuColumns - 1).split("\n"));
  const height = Math.max(...cells.map((cell) => cell.length));
  return Array.from(
    { length: height },
    (_, row) =>
      " ".repeat(NUMBER_COLUMNS) +
      cells.map((cell) => padEnd(cell[row] ?? "", cpuColumns)).join(""),
  ).join("\n");
}

function stepText(step: ScheduleStep, index: number, { cpuColumns }: Layout, terms: Terms): string {
  const number = padStart(`${index + 1}`, NUMBER_COLUMNS - 2);
  const who = cpuColumns === 0 ? `CPU ${step.cpu} ` : "";
  const indent = NUMBER_COLUMNS + step.cpu * cpuColumns;
  const room = (cpuColumns === 0 ? WIDTH - NUMBER_COLUMNS : cpuColumns) - 1;
  const [first, ...rest] = [
    ...wrap(`${who}${step.fn}`, room).split("\n"),
    ...wrap(inTerms(step.what, terms), room - 2)
      .split("\n")
      .map((line) => `  ${line}`),
  ];
  return [
    `${padEnd(number, indent)}${first}`,
    ...rest.map((line) => " ".repeat(indent) + line),
  ].join("\n");
}

/** A text that begins at a column, and goes on below itself. */
function hang(text: string, column: number, width: number): string {
  const margin = " ".repeat(column);
  return margin + wrap(text, width - column, "  ").replaceAll("\n", `\n${margin}`);
}
