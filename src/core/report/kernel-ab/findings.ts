// The numbers behind the answer, one sentence each.
import { isSamePlace } from "../../analyze/kernel-ab/gains.ts";
import type { LockMove } from "../../analyze/kernel-ab/lock-moves.ts";
import type { LoadPlace } from "../../analyze/kernel-ab/result.ts";
import { formatNs, threeDigits } from "../../units.ts";
import { code, type Prose, prose } from "../prose.ts";
import { counted } from "../words.ts";
import type { KernelAbReport } from "./input.ts";
import { joined, listed } from "./listed.ts";
import { armsInOrder, fastestSafe, gainAt, isSafe, mainPlaces } from "./ranking.ts";
import { SAFETY_WORDS, safetyOf } from "./safety.ts";
import { timesText, whoText } from "./words.ts";

export function kernelAbFindings(report: KernelAbReport): readonly Prose[] {
  return [
    ...elsewhereFindings(report),
    ...moveFindings(report),
    ...accuracyFinding(report),
    ...missingFindings(report),
    ...complaintFindings(report),
    ...sameFindings(report),
    ...pageallocFinding(report),
  ];
}

/** Where the best of all is no gain, and which kernel is one there. */
function elsewhereFindings(report: KernelAbReport): readonly Prose[] {
  const best = fastestSafe(report);
  if (best === undefined) return [];
  const { arms } = report.result;
  const gain = (arm: number, place: LoadPlace) => gainAt(report, arm, place)?.measured;
  return mainPlaces(report.result).flatMap((place) => {
    if (gain(best, place)?.verdict !== "no-difference") return [];
    const none = prose`${whoText(place)} are not shown to gain anything with ${code(arms[best]!.name)}`;
    const others = armsInOrder(report).filter((arm) => arm !== best && isSafe(report, arm));
    if (others.length === 0) return [prose`${none}.`];
    const [other] = others
      .filter((arm) => gain(arm, place)?.verdict === "faster")
      .sort((a, b) => gain(b, place)!.value - gain(a, place)!.value);
    if (other === undefined) return [prose`${none}, nor with any other kernel here that is safe.`];
    const { name } = arms[other]!;
    const safety = SAFETY_WORDS[safetyOf(report.verdicts[other]!)];
    return [
      prose`${none}; with ${code(name)}, which is ${safety}, they get ${timesText(gain(other, place)!)} times as much done.`,
    ];
  });
}

/** One sentence for each load: where the base waits, and where the others wait instead. */
function moveFindings(report: KernelAbReport): readonly Prose[] {
  return mainPlaces({ points: report.moves }).map((place) => {
    const own = report.moves.filter((move) => isSamePlace(move, place));
    const moved = own.filter(({ to }) => to !== undefined);
    const gone = own.filter(({ to }) => to === undefined);
    const first = own[0]!;
    const { arms } = report.result;
    const name = ({ arm }: LockMove) => prose`${code(arms[arm]!.name)}`;
    const base = prose`${whoText(first)} wait ${formatNs(first.fromNsBase)} for ${code(first.from)} in ${code(arms[0]!.name)}`;
    const parts = [
      ...moved.map(
        (move) =>
          prose`with ${name(move)} ${formatNs(move.toNs!)} for ${code(move.to!)} instead, for which ${beforeText(move)} there`,
      ),
      ...(gone.length === 0 ? [] : [prose`with ${listed(gone.map(name))} for nothing to speak of`]),
    ];
    const tail = moved.length > 0 ? " That wait has only moved: one lock hid the next." : "";
    return prose`${base}; ${joined(parts, "; ")}.${tail}`;
  });
}

function beforeText({ toNsBase }: LockMove): string {
  return toNsBase === 0 ? "nobody waits" : `they wait ${formatNs(toNsBase!)}`;
}

function accuracyFinding({ gains: { accuracy }, prediction, result }: KernelAbReport): Prose[] {
  if ("why" in prediction) return [prose`Nothing was predicted: ${prediction.why}.`];
  if (accuracy === undefined || result.arms.slice(1).every(({ sameAs }) => sameAs === 0)) return [];
  const { rows, timesOffMedian, timesOffMax, timesOffAlone, within } = accuracy;
  const alone =
    timesOffAlone === undefined
      ? ""
      : ` With one thread, which waits for nobody, it is ${threeDigits(timesOffAlone)}: the model sees the locks of a kernel, and not its other code.`;
  return [
    prose`The model saw ${code(result.arms[0]!.name)} alone. Of ${counted(rows, "predicted gain")} ${within} meet the measured interval; in the median they are off by a factor of ${threeDigits(timesOffMedian)}, at worst ${threeDigits(timesOffMax)}.${alone}`,
  ];
}

/** A kernel that finds something wrong with itself is not to be had, however fast it is. */
function complaintFindings({ result: { arms } }: KernelAbReport): Prose[] {
  return arms.flatMap(({ name, complaints = [] }) =>
    complaints.length === 0
      ? []
      : [
          prose`The kernel of ${code(name)} itself complained of ${counted(complaints.length, "thing")}; they stand below.`,
        ],
  );
}

function missingFindings({ result: { arms } }: KernelAbReport): Prose[] {
  return arms
    .filter(({ bootsDone }) => bootsDone === 0)
    .map(
      ({ name, boots }) =>
        prose`${code(name)} was not measured: of ${counted(boots, "boot")} none was done.`,
    );
}

/** Where it was asked for beside others, the same image twice tells what the measurement is worth. */
function sameFindings({ result: { arms, comparisons } }: KernelAbReport): Prose[] {
  if (arms.slice(1).every(({ sameAs }) => sameAs !== undefined)) return [];
  return arms.flatMap(({ name, sameAs }, arm) => {
    if (sameAs === undefined) return [];
    const found = comparisons.filter(
      (each) => each.arm === arm && (each.verdict === "faster" || each.verdict === "slower"),
    );
    const what =
      sameAs !== 0
        ? prose`what is measured of both should be alike`
        : found.length === 0
          ? prose`the measurement finds no difference, as it must`
          : prose`yet the measurement finds a difference: do not believe it`;
    return [
      prose`${code(name)} and ${code(arms[sameAs]!.name)} are one and the same kernel; ${what}.`,
    ];
  });
}

/** The A/B that needs no patch is not what its name says. */
function pageallocFinding({ run }: KernelAbReport): Prose[] {
  const own = run.arms.filter(({ words }) => words.includes("debug_pagealloc=on"));
  return own.map(
    ({ name }) =>
      prose`${code(name)}: with this word the kernel itself goes without ${code("cpa_lock")}, as its direct map has no large entry then. But every allocation and every free changes the direct map too, which no other kernel here does.`,
  );
}
