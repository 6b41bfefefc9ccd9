// The parts of a report of real boots: pictures, tables, and what they are called.
import { BOOT_PARTS, type BootMakeup } from "../analyze/boot-blame.ts";
import { BOOT_PHASES } from "../analyze/boot-phases.ts";
import { mainSeries, settingKey } from "../analyze/boot-setting.ts";
import type { BootFailure, BootsResult } from "../analyze/boots-result.ts";
import {
  bootsCurve,
  hasReady,
  limitLanes,
  makeupLanes,
  phaseLanes,
  roundLanes,
} from "./boots-chart.ts";
import {
  blameTable,
  bootLockTable,
  bootsPointTable,
  changeTable,
  failureTable,
  lockPhaseTable,
  noiseTable,
} from "./boots-table.ts";
import { PART_MEANING, PART_WORDS } from "./boots-words.ts";
import { curveChart } from "./curve-chart.ts";
import { laneChart } from "./lane-chart.ts";
import type { Lanes } from "./lanes.ts";
import { lockTable } from "./lock-table.ts";
import { element, group, type Markup } from "./markup.ts";
import { visible, wrap } from "./plain-text.ts";
import type { Section, TextSize } from "./report.ts";
import { figure, tableSection } from "./sections.ts";
import { type Table, tableMarkup, tableText } from "./table.ts";
import { terminalLanes } from "./terminal-lanes.ts";
import { terminalPlot } from "./terminal-plot.ts";

/** What was measured, without what surrounds it: also for reports of which a storm is one part. */
export function bootsSections(result: BootsResult): readonly Section[] {
  const { points, failures } = result;
  return [
    ...curveSection(result),
    tableSection("points", "Every point", bootsPointTable(points)),
    ...phaseSection(result),
    ...roundSection(result),
    ...changeSection(result),
    ...makeupSection(result),
    ...lockSection(result),
    ...failureSection(failures),
    tableSection("noise", "What else the host did", noiseTable(points)),
  ];
}

function curveSection(result: BootsResult): Section[] {
  const counts = new Set(result.points.filter(hasReady).map(({ vms }) => vms));
  if (counts.size < 2) return [];
  const curve = bootsCurve(result);
  return [
    {
      id: "boot-times",
      title: curve.title,
      html: figure((size) => curveChart(curve, size), "boot-times"),
      text: ({ width, ascii }) => terminalPlot(curve, { width, height: 22, ascii }),
    },
  ];
}

function phaseSection({ points }: BootsResult): Section[] {
  const ready = mainSeries(points).filter(hasReady);
  if (ready.length === 0) return [];
  const names = ready.flatMap(({ phasesMs }) => Object.keys(phasesMs));
  const seen = BOOT_PHASES.filter(({ name }) =>
    names.some((joined) => joined.split("+").includes(name)),
  );
  return [
    pictureSection({
      id: "phases",
      title: "Which phase grows",
      pictures: [phaseLanes(ready)],
      meanings: seen.map(({ name, from, to }) => [
        name,
        `from ${MILESTONE_WORDS[from]} to ${MILESTONE_WORDS[to]}`,
      ]),
    }),
  ];
}

const MILESTONE_WORDS = {
  requested: "the request",
  admitted: "admission",
  spawned: "the VMM's process",
  vmmReady: "the VMM's first answer",
  resumed: "the vCPUs' start",
  firmware: "the firmware's first sign",
  kernel: "the kernel's first sign",
  init: "the first process",
  ready: "ready",
} as const;

function roundSection(result: BootsResult): Section[] {
  if (result.tellingRounds.length === 0) return [];
  const pictures = result.tellingRounds.map((round) => roundLanes(result, round));
  return [pictureSection({ id: "timeline", title: "VM by VM", pictures })];
}

/** Limits at the most VMs as a picture; all that ran beside something else as a table. */
function changeSection({ points, changes }: BootsResult): Section[] {
  if (changes.length === 0) return [];
  const ready = points.filter(hasReady);
  const last = mainSeries(ready).at(-1);
  const limits = ready.filter(
    (point) => last && settingKey({ ...point, limit: last.limit }) === settingKey(last),
  );
  const onlyLimits = changes.every(({ by }) => by === "limit");
  return [
    pictureSection({
      id: "changes",
      title: onlyLimits ? "What a limit changes" : "What a change does",
      pictures: limits.length < 2 ? [] : [limitLanes(limits)],
      tables: [changeTable(changes)],
    }),
  ];
}

function makeupSection({ makeups, blame }: BootsResult): Section[] {
  const main = mainSeries(makeups);
  const isKnown = ({ partsMs }: BootMakeup) =>
    (partsMs["cpu-work"] ?? partsMs["cpu-wait"] ?? partsMs.locks) !== undefined;
  if (!main.some(isKnown)) return [];
  const parts = BOOT_PARTS.filter((part) => main.some(({ partsMs }) => part in partsMs));
  return [
    pictureSection({
      id: "blame",
      title: "Where the time goes",
      pictures: [makeupLanes(main)],
      meanings: parts.map((part) => [PART_WORDS[part], PART_MEANING[part]]),
      tables: blame.length === 0 ? [] : [blameTable(blame)],
    }),
  ];
}

function lockSection({ locks, contention }: BootsResult): Section[] {
  const main = mainSeries(locks);
  const last = main.at(-1);
  if (last === undefined) return [];
  const tables = [bootLockTable(main), ...(last.locks.length === 0 ? [] : [lockPhaseTable(last)])];
  const all = contention === undefined ? undefined : tableMarkup(lockTable(contention));
  const summary = element("summary", {}, "All waits of one round, of any process");
  return [
    {
      id: "locks",
      title: "Who waits for which lock",
      html: group(
        ...tables.map(tableMarkup),
        all === undefined ? undefined : element("details", {}, summary, all),
      ),
      text: ({ width }) => tables.map((table) => tableText(table, width)).join("\n\n"),
    },
  ];
}

/** Consoles shown, and how much of each: guests may write anything, and much of it. */
const CONSOLES_MAX = 3;
const TAIL_LINES_MAX = 12;
const TAIL_CHARS_MAX = 160;

function failureSection(failures: readonly BootFailure[]): Section[] {
  if (failures.length === 0) return [];
  const table = failureTable(failures);
  const consoles = failures
    .filter(({ consoleTail }) => consoleTail.length > 0)
    .slice(0, CONSOLES_MAX)
    .map(({ name, outcome, consoleTail }) => ({
      title: `Last lines of ${name.slice(0, TAIL_CHARS_MAX)} (${outcome})`,
      lines: consoleTail.slice(-TAIL_LINES_MAX).map((line) => line.slice(0, TAIL_CHARS_MAX)),
    }));
  return [
    {
      id: "failures",
      title: "Boots that failed",
      html: group(
        tableMarkup(table),
        ...consoles.flatMap(({ title, lines }) => [
          element("p", { class: "muted caption" }, title),
          element(
            "pre",
            { role: "region", "aria-label": title, tabindex: 0 },
            element("code", {}, group(...lines)),
          ),
        ]),
      ),
      text: ({ width }) =>
        [
          tableText(table, width),
          ...consoles.flatMap(({ title, lines }) => [
            "",
            wrap(visible(title), width),
            ...lines.map((line) => `  ${visible(line)}`),
          ]),
        ].join("\n"),
    },
  ];
}

type Meaning = readonly [name: string, meaning: string];

interface PictureParts {
  readonly id: string;
  readonly title: string;
  readonly pictures: readonly Lanes[];
  readonly meanings?: readonly Meaning[];
  readonly tables?: readonly Table[];
}

/** Lanes, what their colours mean, and the numbers behind them. */
function pictureSection(parts: PictureParts): Section {
  const { id, title, pictures, meanings = [], tables = [] } = parts;
  return {
    id,
    title,
    html: group(
      ...pictures.map((lanes, i) => pictureMarkup(lanes, `${id}-${i}`)),
      meanings.length === 0 ? undefined : meaningsMarkup(meanings),
      ...tables.map(tableMarkup),
    ),
    text: (size) =>
      [
        ...pictures.map((lanes) => pictureText(lanes, size)),
        ...(meanings.length === 0 ? [] : [meaningsText(meanings, size)]),
        ...tables.map((table) => tableText(table, size.width)),
      ].join("\n\n"),
  };
}

function pictureMarkup(lanes: Lanes, id: string): Markup {
  return group(
    element("p", { class: "muted caption" }, lanes.title),
    figure((size) => laneChart(lanes, size), id),
  );
}

function pictureText(lanes: Lanes, size: TextSize): string {
  return `${wrap(visible(lanes.title), size.width)}\n\n${terminalLanes(lanes, size)}`;
}

function meaningsMarkup(meanings: readonly Meaning[]): Markup {
  const items = meanings.map(([name, meaning]) =>
    element("div", {}, element("dt", {}, name), element("dd", {}, meaning)),
  );
  return element("dl", { class: "facts" }, group("", ...items, ""));
}

function meaningsText(meanings: readonly Meaning[], { width }: TextSize): string {
  const margin = Math.max(...meanings.map(([name]) => name.length)) + 2;
  return meanings
    .map(([name, meaning]) => wrap(name.padEnd(margin) + meaning, width, " ".repeat(margin)))
    .join("\n");
}
