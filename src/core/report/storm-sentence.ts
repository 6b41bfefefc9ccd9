// What a simulated storm says, in sentences: what grows, what is to blame, what helps.
import type { StormCurve, StormSeries } from "../analyze/storm-curve.ts";
import type { StormPoint } from "../analyze/storm-point.ts";
import { formatShare } from "../units.ts";
import { ratioText } from "./curve.ts";
import { code, type Prose, prose } from "./prose.ts";
import {
  blameProse,
  countsVms,
  fieldsProse,
  lockProse,
  msText,
  seriesName,
  vms,
  xProse,
} from "./storm-words.ts";

/** Below this share of a boot a wait is not to blame for it. */
const BLAME_FROM = 0.05;
/** A change of less is none. */
const CHANGE_FROM = 1.05;

export function stormAnswer(curve: StormCurve): Prose {
  const [main, ...others] = curve.series as [StormSeries, ...StormSeries[]];
  const first = main.points[0]!;
  const last = main.points.at(-1)!;
  const lead =
    curve.x === undefined || main.points.length === 1
      ? single(last.point)
      : grows(curve, main, first.point, last.point);
  return prose`${lead}${helps(curve, main, others)}.`;
}

function single(point: StormPoint): Prose {
  const blame = blameProse(point, BLAME_FROM);
  const why = blame.length === 0 ? prose`none of it waiting for a lock` : blame;
  const each = point.vms === 1 ? "1 VM boots" : `${vms(point.vms)} boot`;
  const given = point.fields.length === 0 ? [] : prose` with ${fieldsProse(point.fields)}`;
  return prose`${each} in ${msText(point.bootMs.median)}${given}, ${why}`;
}

function grows(curve: StormCurve, main: StormSeries, first: StormPoint, last: StormPoint): Prose {
  const [from, to] = [first.bootMs.median, last.bootMs.median];
  const at = (point: StormPoint) =>
    xProse(curve, main.points.find((each) => each.point === point)!.x);
  const given = main.fields.length === 0 ? [] : prose`With ${fieldsProse(main.fields)} `;
  const subject = prose`${given}${main.fields.length === 0 ? "Boot" : "boot"} time`;
  if (Math.max(from / to, to / from) < CHANGE_FROM) {
    return prose`${subject} stays at ${msText(from)} from ${at(first)} to ${at(last)}`;
  }
  const blame = blameProse(last, BLAME_FROM);
  const why = blame.length === 0 ? [] : prose`, ${blame}`;
  const verb = to > from ? "grows" : "falls";
  return prose`${subject} ${verb} from ${msText(from)} at ${at(first)} to ${msText(to)} at ${at(last)}${why}`;
}

/** The fastest of the other series where the first one ends. */
function helps(curve: StormCurve, main: StormSeries, others: readonly StormSeries[]): Prose {
  const last = main.points.at(-1)!;
  const rivals = others
    .flatMap(({ fields, points }) => {
      const there = points.find((each) => each.x === last.x);
      return there === undefined ? [] : [{ fields, medianMs: there.point.bootMs.median }];
    })
    .sort((a, b) => a.medianMs - b.medianMs);
  const best = rivals[0];
  if (best === undefined) return [];
  if (last.point.bootMs.median / best.medianMs < CHANGE_FROM) {
    return prose`; nothing else that was tried is faster${curve.x === undefined ? "" : " there"}`;
  }
  return prose`; ${msText(best.medianMs)} with ${fieldsProse(best.fields)}`;
}

/** Findings, in the order in which a reader asks. */
export function stormFindings(curve: StormCurve): Prose[] {
  const [main, ...others] = curve.series as [StormSeries, ...StormSeries[]];
  const last = main.points.at(-1)!.point;
  return [
    ...phaseFinding(curve, main),
    ...boundFinding(last),
    ...spinFinding(last),
    ...others.flatMap((series) => seriesFinding(curve, main, series)),
  ];
}

/** The phase that grows most. */
function phaseFinding(curve: StormCurve, { points }: StormSeries): Prose[] {
  const first = points[0]!.point.phasesMs;
  const last = points.at(-1)!.point.phasesMs;
  const grown = Object.entries(last)
    .map(([name, ms]) => ({ name, fromMs: first[name] ?? 0, toMs: ms }))
    .sort((a, b) => b.toMs - b.fromMs - (a.toMs - a.fromMs))[0];
  if (points.length < 2 || grown === undefined || grown.toMs < grown.fromMs * CHANGE_FROM)
    return [];
  const at = prose`${xProse(curve, points[0]!.x)} to ${msText(grown.toMs)} at ${xProse(curve, points.at(-1)!.x)}`;
  return [
    prose`The phase that grows most is ${code(grown.name)}: from ${msText(grown.fromMs)} at ${at}.`,
  ];
}

function boundFinding({ bound, vms: count, makespanMs }: StormPoint): Prose[] {
  const { aloneMs, lock, kneeVms } = bound;
  if (lock === undefined || kneeVms === undefined) return [];
  const alone = prose`A VM alone takes ${msText(aloneMs)} and has ${lockProse(lock.name)} to itself for ${msText(lock.holdMs)} of that: above ${vms(Math.floor(kneeVms))} they must wait for each other`;
  if (count <= kneeVms) return [prose`${alone}.`];
  return [
    prose`${alone}, and ${vms(count)} need at least ${msText(bound.makespanMs)}. Simulated: ${msText(makespanMs)}.`,
  ];
}

function spinFinding({ cpu, vms: count }: StormPoint): Prose[] {
  if (cpu.spin < 0.01) return [];
  return [
    prose`With ${vms(count)}, ${formatShare(cpu.spin)} of all CPU time is spent spinning for a lock.`,
  ];
}

/** Another series where the first one ends: how much faster, and what is in the way now. */
function seriesFinding(curve: StormCurve, main: StormSeries, series: StormSeries): Prose[] {
  const before = main.points.at(-1)!;
  const after = series.points.find((each) => each.x === before.x);
  if (after === undefined) return [];
  const { bootMs } = after.point;
  const blame = blameProse(after.point, BLAME_FROM);
  const why = blame.length === 0 ? prose`no lock is waited for` : blame;
  const at = curve.x === undefined ? [] : prose` at ${xProse(curve, after.x)}`;
  const ratio = ratioText(bootMs.median / before.point.bootMs.median);
  return [
    prose`${fieldsProse(series.fields)}: ${msText(bootMs.median)}${at}, ${ratio} of ${seriesName(main)}; ${why}.`,
  ];
}

/** Whether the x axis counts VMs or something else, for its label. */
export function xLabel(curve: StormCurve): string {
  return countsVms(curve) ? "VMs started at once" : curve.x!;
}
