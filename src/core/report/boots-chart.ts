// Pictures of real boots: what is drawn; the drawing is that of all reports.
import { BOOT_PARTS, type BootMakeup, type BootPart } from "../analyze/boot-blame.ts";
import type { BootCurve } from "../analyze/boot-curve.ts";
import { BOOT_PHASES } from "../analyze/boot-phases.ts";
import type { BootPoint } from "../analyze/boot-points.ts";
import { seriesKey } from "../analyze/boot-setting.ts";
import type { BootsResult, BootVm } from "../analyze/boots-result.ts";
import type { Distribution } from "../stats/distribution.ts";
import { limitLabel, limitText, PART_WORDS, seriesText, settingText } from "./boots-words.ts";
import type { Curve, CurveSeries, Place } from "./curve.ts";
import { type Bar, type BarKind, type Lane, type Lanes, stackedBars } from "./lanes.ts";
import { type Colour, SERIES_COLOURS } from "./palette.ts";
import { msText, vms } from "./storm-words.ts";

/** A point in which at least one VM got ready. */
export type ReadyPoint = BootPoint & Required<Pick<BootPoint, "readyMs" | "sinceRequestMs">>;

export function hasReady(point: BootPoint): point is ReadyPoint {
  return point.readyMs !== undefined && point.sinceRequestMs !== undefined;
}

/** Boot times since the request, in seconds, against the number of VMs; one line a series. */
export function bootsCurve({ points, curves }: BootsResult): Curve {
  const bySeries = new Map<string, ReadyPoint[]>();
  for (const point of points.filter(hasReady)) {
    const key = seriesKey(point);
    bySeries.set(key, [...(bySeries.get(key) ?? []), point]);
  }
  const firsts = [...bySeries.values()].map((of) => of[0]!);
  const series = [...bySeries].map(([key, of], i): CurveSeries => {
    const curve = curves.find((each) => seriesKey(each) === key);
    return {
      name: seriesText(of[0]!, firsts),
      colour: SERIES_COLOURS[i % SERIES_COLOURS.length]!,
      points: of.map((point) => ({ x: point.vms, y: inSeconds(point.sinceRequestMs) })),
      perfect: false,
      ...(curve === undefined ? {} : { fit: fitCorners(curve) }),
    };
  });
  return {
    title: "Boot time against the number of VMs",
    description: [...bySeries.values()]
      .map((of) => {
        const said = of.map(
          (point) => `${msText(point.sinceRequestMs.median)} for ${vms(point.vms)}`,
        );
        return `${seriesText(of[0]!, firsts)}: ${said.join(", ")}.`;
      })
      .join(" "),
    xLabel: "VMs",
    yLabel: "from request to ready, s, median of all VMs",
    scale: "linear",
    series,
    notes: [
      barsNote([...bySeries.values()].flat()),
      ...(series.some(({ fit }) => fit !== undefined)
        ? ["Lines: the better fit of each series, a straight one where neither is better."]
        : []),
    ],
  };
}

/** The better of both fits as a line with its corners, in seconds. */
function fitCorners({ better, line, knee, vms: counts }: BootCurve): readonly Place[] {
  const [first, last] = [counts[0]!, counts.at(-1)!];
  const { baseMs, slopeMsPerVm } = better === "knee" && knee !== undefined ? knee : line;
  const bend = better === "knee" && knee !== undefined ? knee.kneeVms.value : first;
  const at = (x: number) => ({
    x,
    y: (baseMs.value + slopeMsPerVm.value * Math.max(0, x - bend)) / 1e3,
  });
  return [first, ...(bend > first ? [bend] : []), last].map(at);
}

function inSeconds(ms: Distribution): Distribution {
  const { median, mean, p95, max, low, high, n } = ms;
  return {
    median: median / 1e3,
    mean: mean / 1e3,
    p95: p95 / 1e3,
    max: max / 1e3,
    low: low / 1e3,
    high: high / 1e3,
    n,
  };
}

function barsNote(points: readonly BootPoint[]): string {
  const counts = points.map(({ rounds }) => rounds);
  const [least, most] = [Math.min(...counts), Math.max(...counts)];
  const said = least === most ? `${most}` : `${least} to ${most}`;
  if (most === 1) return "One round each: no bars.";
  return least >= 6
    ? `Bars: 95 % interval of the median over ${said} rounds.`
    : `Bars: smallest to largest median of ${said} rounds, too few for a 95 % interval.`;
}

type PhaseName = (typeof BOOT_PHASES)[number]["name"];

// What belongs together shares a colour: the VMM, the firmware. The guest's own time stands out.
const PHASE_STYLE: Readonly<
  Record<PhaseName, { readonly colour: Colour; readonly faint?: boolean; readonly letter: string }>
> = {
  queue: { colour: "rule", letter: "q" },
  spawn: { colour: "amber", faint: true, letter: "s" },
  vmm: { colour: "amber", letter: "v" },
  resume: { colour: "green", letter: "r" },
  entry: { colour: "purple", faint: true, letter: "e" },
  firmware: { colour: "purple", letter: "f" },
  kernel: { colour: "blue", letter: "k" },
  userspace: { colour: "vermillion", letter: "u" },
};

/** The phase that a joined one ends with. */
function lastPhase(name: string): PhaseName {
  return BOOT_PHASES.findLast((phase) => name.split("+").at(-1) === phase.name)!.name;
}

/** Kinds of bars for these phases, in the order in which a boot passes them. */
function phaseKinds(names: readonly string[]): readonly BarKind[] {
  const order = BOOT_PHASES.map(({ name }): string => name);
  return [...new Set(names)]
    .sort((a, b) => order.indexOf(lastPhase(a)) - order.indexOf(lastPhase(b)))
    .map((name) => ({ name, ...PHASE_STYLE[lastPhase(name)] }));
}

/** The phases of each point of a series, end to end. */
export function phaseLanes(points: readonly ReadyPoint[]): Lanes {
  const kinds = phaseKinds(points.flatMap(({ phasesMs }) => Object.keys(phasesMs)));
  return {
    title: "Phases of a boot against the number of VMs",
    description: points
      .map(({ vms: count, phasesMs }) => {
        const said = Object.entries(phasesMs).map(([name, ms]) => `${name} ${msText(ms)}`);
        return `${vms(count)}: ${said.join(", ")}.`;
      })
      .join(" "),
    axisLabel: "since the request",
    kinds,
    lanes: points.map((point) => ({
      label: vms(point.vms),
      endNote: msText(point.sinceRequestMs.median),
      bars: stackedBars(kinds.map(({ name }) => toNs(point.phasesMs[name]))),
    })),
    notes: [
      "Medians of each phase; behind them that of the whole boot, which they need not add up to.",
    ],
  };
}

/** What the boots of each point spend their time with, end to end. */
export function makeupLanes(makeups: readonly BootMakeup[]): Lanes {
  const kinds = BOOT_PARTS.filter((part) =>
    makeups.some(({ partsMs }) => partsMs[part] !== undefined),
  );
  return {
    title: "What boots spend their time with",
    description: makeups
      .map(({ vms: count, partsMs }) => {
        const said = kinds.map((part) => `${PART_WORDS[part]} ${msText(partsMs[part] ?? 0)}`);
        return `${vms(count)}: ${said.join(", ")}.`;
      })
      .join(" "),
    axisLabel: "time in service",
    kinds: kinds.map((part) => ({ name: PART_WORDS[part], ...PART_STYLE[part] })),
    lanes: makeups.map((makeup) => ({
      label: vms(makeup.vms),
      endNote: msText(makeup.meanMs),
      bars: stackedBars(kinds.map((part) => toNs(makeup.partsMs[part]))),
    })),
    notes: ["Means of all boots, from admission to ready."],
  };
}

const PART_STYLE: Readonly<
  Record<BootPart, { readonly colour: Colour; readonly faint?: boolean; readonly letter: string }>
> = {
  locks: { colour: "vermillion", letter: "l" },
  "cpu-wait": { colour: "amber", letter: "w" },
  "cpu-work": { colour: "blue", letter: "r" },
  "vmm-setup": { colour: "green", letter: "v" },
  rest: { colour: "muted", faint: true, letter: "o" },
};

/** How each limit divides the mean boot: waiting to be admitted, and in service. */
export function limitLanes(points: readonly ReadyPoint[]): Lanes {
  const parts = (point: ReadyPoint) => [
    toNs(point.sinceRequestMs.mean - point.readyMs.mean),
    toNs(point.readyMs.mean),
  ];
  return {
    title: `${settingText({ ...points[0]!, limit: "none" })} under each limit`,
    description: points
      .map((point) => {
        const { limit, sinceRequestMs, readyMs } = point;
        return `${limitText(limit)}: ${msText(sinceRequestMs.mean)} since the request, ${msText(readyMs.mean)} in service.`;
      })
      .join(" "),
    axisLabel: "since the request, mean",
    kinds: [
      { name: "waits to be admitted", colour: "rule", letter: "q" },
      { name: "boots", colour: "blue", letter: "b" },
    ],
    lanes: points.map((point) => ({
      label: limitLabel(point.limit),
      endNote: msText(point.sinceRequestMs.mean),
      bars: stackedBars(parts(point)),
    })),
    notes: [],
  };
}

const SILENT: BarKind = { name: "no further sign", colour: "muted", faint: true, letter: "." };

/** One round, VM by VM, in the order of admission. */
export function roundLanes(result: BootsResult, round: number): Lanes {
  const { spanMs, ...setting } = result.rounds[round]!;
  const own = result.vms
    .filter((vm) => vm.round === round)
    .sort((a, b) => startMs(a) - startMs(b) || endMs(a, spanMs) - endMs(b, spanMs));
  const phases = phaseKinds(own.flatMap((vm) => [...Object.keys(vm.phasesMs), ...waitOf(vm)]));
  const isSilent = own.some((vm) => vm.outcome !== "ready" && waitOf(vm).length === 0);
  const kinds = isSilent ? [...phases, SILENT] : phases;
  const ready = own.filter(({ outcome }) => outcome === "ready").length;
  return {
    title: `One round VM by VM: ${settingText(setting)}`,
    description: `${ready} of ${vms(own.length)} got ready within ${msText(spanMs)}.`,
    axisLabel: "time in the round",
    kinds,
    lanes: own.map((vm) => vmLane(vm, kinds, spanMs)),
    notes: [],
  };
}

function vmLane(vm: BootVm, kinds: readonly BarKind[], spanMs: number): Lane {
  let at = vm.atMs.requested ?? 0;
  const bars: Bar[] = Object.entries(vm.phasesMs).map(([name, ms]) => {
    const fromNs = at * 1e6;
    at += ms;
    return { kind: kinds.findIndex((kind) => kind.name === name), fromNs, toNs: at * 1e6 };
  });
  if (vm.outcome === "ready") return { label: vm.name, bars };
  const [last = SILENT.name] = waitOf(vm);
  const endNs = endMs(vm, spanMs) * 1e6;
  const kind = kinds.findIndex(({ name }) => name === last);
  const bar = { kind, fromNs: at * 1e6, toNs: Math.max(at * 1e6, endNs) };
  return { label: vm.name, bars: [...bars, bar], failedAtNs: endNs };
}

/** The phase that a VM was in to the end if it was never admitted; else none. */
function waitOf({ atMs }: BootVm): readonly string[] {
  return atMs.admitted === undefined ? ["queue"] : [];
}

function startMs({ atMs }: BootVm): number {
  return atMs.admitted ?? atMs.requested ?? 0;
}

/** Of one that failed: when its VMM ended, else with the round. */
function endMs({ atMs, outcome }: BootVm, spanMs: number): number {
  return outcome === "ready" ? atMs.ready! : (atMs.exited ?? spanMs);
}

function toNs(ms: number | undefined): number {
  return (ms ?? 0) * 1e6;
}
