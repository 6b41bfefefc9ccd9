// What real boots say, in sentences: how they grow, what for, and what changes it.
import type { BootBlame, BootPart } from "../analyze/boot-blame.ts";
import type { BootChange } from "../analyze/boot-changes.ts";
import type { BootCurve } from "../analyze/boot-curve.ts";
import type { BestLimit } from "../analyze/boot-limits.ts";
import type { BootPoint } from "../analyze/boot-points.ts";
import { mainSeries, NO_LIMIT, seriesKey, settingKey } from "../analyze/boot-setting.ts";
import type { BootsResult, Outcome } from "../analyze/boots-result.ts";
import type { Estimate } from "../stats/resample.ts";
import { formatShare } from "../units.ts";
import { hasReady, type ReadyPoint } from "./boots-chart.ts";
import { changeText, limitText, OUTCOME_WORDS, pressureText, settingText } from "./boots-words.ts";
import { ratioText } from "./curve.ts";
import { code, type Prose, prose } from "./prose.ts";
import { msText, vms } from "./storm-words.ts";
import { counted } from "./words.ts";

/** A change of less is none. */
const CHANGE_FROM = 1.05;
/** A smaller part of a slowdown is not named in the answer. */
const PART_FROM = 0.05;
/** A smaller part is called nothing. */
const NOTHING_BELOW = 0.005;

/** The answer in one sentence, of the main series. */
export function bootsAnswer(result: BootsResult): Prose {
  const main = mainSeries(result.points);
  const ready = main.filter(hasReady);
  const [first, last] = [ready[0], ready.at(-1)];
  if (main.length === 0) return prose`No round was measured.`;
  if (first === undefined || last === undefined) {
    return prose`No VM got ready: ${failuresText(result.points)}.`;
  }
  const parts = [
    ...(first === last
      ? [single(last)]
      : [grows(first, last), ...growthPart(result, main), ...blameParts(result, last)]),
    ...besideParts(result, last),
    ...limitPart(result, last),
    ...failurePart(result.points),
  ];
  return [...parts.flatMap((part, i) => [...(i === 0 ? [] : ["; "]), ...part]), "."];
}

function single(point: ReadyPoint): Prose {
  const { sinceRequestMs, makespanMs, vms: count } = point;
  const took = msText(sinceRequestMs.median);
  if (count === 1) return prose`${subject(point)} is ready ${took} after it is asked for`;
  const all = makespanMs === undefined ? "" : `, all of them after ${msText(makespanMs)}`;
  return prose`${subject(point)} are ready ${took} after they are asked for${all}`;
}

function grows(first: ReadyPoint, last: ReadyPoint): Prose {
  const [from, to] = [first.sinceRequestMs.median, last.sinceRequestMs.median];
  const ratio = to / from;
  if (Math.max(ratio, 1 / ratio) < CHANGE_FROM) {
    return prose`${subject(last)} take ${msText(to)} each, as ${vms(first.vms)} ${first.vms === 1 ? "does" : "do"}`;
  }
  return prose`${subject(last)} take ${msText(to)} each instead of the ${msText(from)} of ${vms(first.vms)}: ${ratioText(ratio)}`;
}

/** `16 confidential VMs at once, at most 2 at a time`. */
function subject(point: BootPoint): string {
  const [who, ...rest] = settingText(point).split(", ");
  return [`${who}${point.atOnce && point.vms > 1 ? " at once" : ""}`, ...rest].join(", ");
}

/** From where on, and how much each further VM adds. */
function growthPart({ curves }: BootsResult, main: readonly BootPoint[]): Prose[] {
  const curve = curves.find((each) => seriesKey(each) === seriesKey(main[0]!));
  if (curve === undefined) return [];
  const { slopeMsPerVm, kneeVms } = betterFit(curve);
  if (slopeMsPerVm.low <= 0) return [];
  const from =
    kneeVms === undefined ? "" : `from ${vms(Math.max(1, Math.round(kneeVms.value)))} on `;
  return [prose`${from}each further one adds ${msText(slopeMsPerVm.value)}`];
}

function betterFit({ better, line, knee }: BootCurve) {
  return better === "knee" && knee !== undefined ? knee : { ...line, kneeVms: undefined };
}

/** Locks first: they are the question. Then what does explain the slowdown. */
function blameParts({ blame, locks }: BootsResult, last: BootPoint): Prose[] {
  const shares = blame.find((each) => settingKey(each) === settingKey(last))?.shares;
  if (shares === undefined) return [];
  const others = (["cpu-wait", "cpu-work", "vmm-setup", "rest"] as const).flatMap((part) => {
    const share = shares[part] ?? 0;
    if (Math.abs(share) < PART_FROM) return [];
    return share > 0
      ? [`${percent(share)} is ${PART_NAMES[part]}`]
      : [`${LESS_OF[part]} takes ${percent(-share)} off`];
  });
  return [
    shares.locks === undefined
      ? prose`what of it is waiting for locks was not recorded`
      : lockShare(shares.locks, mostWaited(locks, last)),
    ...(others.length === 0 ? [] : [prose`${others.join(", ")}`]),
  ];
}

const PART_NAMES: Readonly<Record<BootPart, string>> = {
  locks: "waiting for locks",
  "cpu-wait": "waiting for a CPU",
  "cpu-work": "more CPU work a boot",
  "vmm-setup": "the VMM's start",
  rest: "unexplained",
};

const LESS_OF: Readonly<Record<Exclude<BootPart, "locks">, string>> = {
  "cpu-wait": "less waiting for a CPU",
  "cpu-work": "less CPU work a boot",
  "vmm-setup": "a faster start of the VMM",
  rest: "what is unexplained",
};

function lockShare(share: number, most: Prose): Prose {
  if (Math.abs(share) < NOTHING_BELOW) {
    return prose`nothing of it is waiting for locks on this host`;
  }
  return prose`${percent(share)} of it is waiting for locks on this host${most}`;
}

/** Whole percents: the parts of an answer are read together. */
function percent(share: number): string {
  return `${Math.round(share * 100)} %`;
}

function mostWaited(locks: BootsResult["locks"], last: BootPoint): Prose {
  const own = locks.find((each) => settingKey(each) === settingKey(last))?.locks ?? [];
  const [most] = [...own].sort((a, b) => b.bootMs - a.bootMs);
  if (most === undefined || most.bootMs <= 0) return [];
  const { lock } = most;
  return prose`, most for ${code(lock.evidence === "none" ? lock.address : lock.name)}`;
}

/** The same VMs where they are not confidential, and where there is the most pressure. */
function besideParts({ points }: BootsResult, last: ReadyPoint): Prose[] {
  const ready = points.filter(hasReady);
  const isLast = (each: BootPoint, change: Partial<BootPoint>) =>
    settingKey({ ...each, ...change }) === settingKey(last);
  const plain = ready.find((each) => each.kind !== last.kind && isLast(each, { kind: last.kind }));
  const pressed = ready.findLast(
    (each) => each.pressure > last.pressure && isLast(each, { pressure: last.pressure }),
  );
  return [
    ...(plain === undefined ? [] : [prose`plain ones take ${msText(plain.sinceRequestMs.median)}`]),
    ...(pressed === undefined
      ? []
      : [
          prose`beside ${pressureText(pressed.pressure)} they take ${msText(pressed.sinceRequestMs.median)}`,
        ]),
  ];
}

function limitPart({ changes, bestLimits }: BootsResult, last: ReadyPoint): Prose[] {
  const limit = bestAt(bestLimits, last)?.mean.limit;
  const best = changes.find(
    (each) =>
      each.by === "limit" &&
      limit !== undefined &&
      settingKey(each) === settingKey({ ...last, limit }),
  );
  if (best === undefined) return [];
  const less = formatShare(-best.change.mean.value);
  return [prose`${limitText(best.limit)} they take ${less} less on average since the request`];
}

function bestAt(all: BootsResult["bestLimits"], { vms: count, kind, pressure }: BootPoint) {
  return all.find((each) => each.vms === count && each.kind === kind && each.pressure === pressure)
    ?.best;
}

function failurePart(points: readonly BootPoint[]): Prose[] {
  const failed = points.reduce((sum, point) => sum + point.failed, 0);
  const boots = points.reduce((sum, point) => sum + point.boots, 0);
  return failed === 0 ? [] : [prose`${failed} of ${counted(boots, "boot")} failed`];
}

/** The numbers behind the answer, in the order in which a reader asks. */
export function bootsFindings(result: BootsResult): Prose[] {
  const main = mainSeries(result.points);
  const ready = main.filter(hasReady);
  const last = ready.at(-1);
  const failed = result.points.some((point) => point.failed > 0);
  return [
    ...fitFinding(result, main),
    ...phaseFinding(ready),
    ...cpuFinding(ready),
    ...(last === undefined
      ? []
      : [
          ...blameFinding(result, last),
          ...limitFindings(result, last),
          ...besideFindings(result, last),
        ]),
    ...(failed && last !== undefined ? [prose`Not ready: ${failuresText(result.points)}.`] : []),
  ];
}

function fitFinding({ curves }: BootsResult, main: readonly BootPoint[]): Prose[] {
  const curve = main[0] && curves.find((each) => seriesKey(each) === seriesKey(main[0]!));
  if (curve === undefined) return [];
  const { baseMs, slopeMsPerVm, kneeVms } = betterFit(curve);
  const slope = `each further VM adds ${estimateText(slopeMsPerVm, msText)}`;
  const shape =
    kneeVms === undefined
      ? prose`A straight line: ${slope} to ${msText(baseMs.value)}`
      : prose`Flat at ${msText(baseMs.value)} up to ${estimateText(kneeVms, (value) => value.toFixed(1))} VMs, then ${slope}`;
  const { share, vms: count } = curve.worst;
  const off =
    Math.abs(share) < NOTHING_BELOW
      ? []
      : prose` It is furthest off at ${vms(count)}, by ${formatShare(Math.abs(share))}.`;
  return [prose`${shape}${whyBetter(curve)}.${off}`];
}

function whyBetter({ better, bicGain, knee }: BootCurve): string {
  if (knee === undefined || bicGain === undefined) return "; too few points for a knee";
  const gain = Math.abs(bicGain).toFixed(1);
  if (better === "undecided") return `; a knee fits about as well (BIC differs by ${gain})`;
  const other = better === "knee" ? "a straight line" : "a knee";
  return `; ${other} is the worse fit (BIC by ${gain})`;
}

/** `420 ms (400 ms to 440 ms)`. */
function estimateText({ value, low, high }: Estimate, text: (value: number) => string): string {
  return low === high ? text(value) : `${text(value)} (${text(low)} to ${text(high)})`;
}

function phaseFinding(ready: readonly ReadyPoint[]): Prose[] {
  const [first, last] = [ready[0], ready.at(-1)];
  if (first === undefined || last === undefined || first === last) return [];
  const [grown] = Object.entries(last.phasesMs)
    .map(([name, ms]) => ({ name, fromMs: first.phasesMs[name] ?? 0, toMs: ms }))
    .sort((a, b) => b.toMs - b.fromMs - (a.toMs - a.fromMs));
  if (grown === undefined || grown.toMs < grown.fromMs * CHANGE_FROM) return [];
  return [
    prose`The phase that grows most is ${code(grown.name)}: from ${msText(grown.fromMs)} with ${vms(first.vms)} to ${msText(grown.toMs)} with ${vms(last.vms)}.`,
  ];
}

/** What tells work that others make harder from mere sharing. */
function cpuFinding(ready: readonly ReadyPoint[]): Prose[] {
  const known = ready.flatMap(({ vms: count, cpuMs }) =>
    cpuMs === undefined ? [] : [{ count, meanMs: cpuMs.mean }],
  );
  const [first, last] = [known[0], known.at(-1)];
  if (first === undefined || last === undefined || first === last) return [];
  // The kernel counts in hundredths of a second: of very short boots it may have seen nothing.
  if (first.meanMs === 0) return [];
  const change = last.meanMs / first.meanMs - 1;
  const said =
    Math.abs(change) < CHANGE_FROM - 1
      ? "about as much as"
      : `${formatShare(Math.abs(change))} ${change > 0 ? "more" : "less"} than`;
  return [
    prose`A boot takes ${msText(last.meanMs)} of CPU time with ${vms(last.count)}, ${said} with ${vms(first.count)} (${msText(first.meanMs)}).`,
  ];
}

function blameFinding({ blame }: BootsResult, last: ReadyPoint): Prose[] {
  const own = blame.find((each) => settingKey(each) === settingKey(last));
  if (own === undefined) return [];
  const { slowdownMs, partsMs, shares, locks } = own;
  const [many, few] = [vms(own.vms), vms(own.againstVms)];
  if (shares === undefined) {
    return [
      prose`In service ${many} are not clearly slower than ${few}: by ${estimateText(slowdownMs, msText)}.`,
    ];
  }
  const said = (Object.entries(partsMs) as [BootPart, Estimate][])
    .filter(([part]) => Math.abs(shares[part]!) >= NOTHING_BELOW)
    .map(([part, estimate]) => `${PART_NAMES[part]} ${estimateText(estimate, msText)}`);
  return [
    prose`In service a boot takes ${estimateText(slowdownMs, msText)} longer with ${many} than with ${few}: ${said.join(", ")}.${howWaited(locks)}`,
  ];
}

function howWaited(locks: BootBlame["locks"]): string {
  if (locks === undefined) return "";
  const { spinMs, sleepMs, setupMs } = locks;
  const how = [
    ["spinning, which is taken off the CPU work", spinMs],
    ["sleeping", sleepMs],
    ["by the VMM before the vCPUs ran", setupMs],
  ] as const;
  const said = how.filter(([, ms]) => ms >= 1).map(([words, ms]) => `${msText(ms)} ${words}`);
  return said.length === 0 ? "" : ` Locks were waited for ${said.join(", ")}.`;
}

function limitFindings({ changes, bestLimits }: BootsResult, last: ReadyPoint): Prose[] {
  const free = settingKey({ ...last, limit: NO_LIMIT });
  const own = changes.filter(({ by, against }) => by === "limit" && settingKey(against) === free);
  const best = bestAt(bestLimits, last);
  return [
    ...own.map((each) => prose`${changed(each)}.`),
    ...(best === undefined
      ? []
      : [
          prose`Best with ${vms(last.vms)}: for the mean ${bestText(best.mean)}; for the p95 ${bestText(best.p95)}; until all are ready ${bestText(best.makespan)}.`,
        ]),
  ];
}

function bestText({ limit, alike }: BestLimit): string {
  const same = alike.map(limitText);
  return same.length === 0
    ? limitText(limit)
    : `${limitText(limit)}, not to be told from ${same.join(" or ")}`;
}

/** Confidential against plain, and pressure against none. */
function besideFindings({ changes }: BootsResult, last: ReadyPoint): Prose[] {
  return changes
    .filter(
      (each) =>
        each.by !== "limit" &&
        [each, each.against].some((one) => settingKey(one) === settingKey(last)),
    )
    .map((each) => {
      const against = each.by === "kind" ? "plain ones" : pressureText(each.against.pressure);
      return prose`${changed(each)}, against ${against}.`;
    });
}

function changed({ change, ...setting }: BootChange): string {
  return `${settingText(setting)}: mean since the request ${changeText(change.mean)}, p95 ${changeText(change.p95)}, until all are ready ${changeText(change.makespan)}`;
}

/** `3 boots panicked, 1 boot timed out`. */
function failuresText(points: readonly BootPoint[]): string {
  type Failure = Exclude<Outcome, "ready">;
  const totals = new Map<Failure, number>();
  for (const { failures } of points) {
    for (const [outcome, count] of Object.entries(failures) as [Failure, number][]) {
      totals.set(outcome, (totals.get(outcome) ?? 0) + count);
    }
  }
  return [...totals]
    .sort((a, b) => b[1] - a[1])
    .map(([outcome, count]) => `${counted(count, "boot")} ${OUTCOME_WORDS[outcome]}`)
    .join(", ");
}
