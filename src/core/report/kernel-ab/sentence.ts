// The answer in one sentence, and what stands behind it.
import { pairsLeast } from "../../analyze/kernel-ab/enough.ts";
import { isSamePlace } from "../../analyze/kernel-ab/gains.ts";
import type { LockMove } from "../../analyze/kernel-ab/lock-moves.ts";
import type { LoadPlace } from "../../analyze/kernel-ab/result.ts";
import { formatNs, threeDigits } from "../../units.ts";
import { code, type Prose, prose } from "../prose.ts";
import { counted } from "../words.ts";
import type { KernelAbReport } from "./input.ts";
import { SAFETY_WORDS, safetyOf, unsafeOf } from "./safety.ts";
import { armsInOrder, gainAt, mainPlaces, speedOf, whoText } from "./words.ts";

export function kernelAbAnswer(report: KernelAbReport): Prose {
  const { arms, comparisons } = report.result;
  const base = arms[0]!;
  const others = armsInOrder(report);
  const names = listed(others.map((arm) => prose`${code(arms[arm]!.name)}`));
  if (comparisons.length === 0) {
    return prose`Nothing could be compared: ${code(base.name)} and ${names} have no measurement in common${brokenProse(report)}.`;
  }
  if (arms.slice(1).every(({ sameAs }) => sameAs !== undefined)) return sameAnswer(report, names);
  if (comparisons.every(({ verdict }) => verdict === "too-few")) {
    const most = Math.max(...comparisons.map(({ pairs }) => pairs));
    return prose`${counted(most, "pair")} of boots ${most === 1 ? "is" : "are"} too few to tell ${names} from ${code(base.name)}: with ${counted(comparisons.length, "comparison")} it takes ${pairsLeast(comparisons.length)}${brokenProse(report)}.`;
  }
  const best = others.find((arm) => isSafe(report, arm) && speedOf(report, arm) === "faster");
  const unsafe = fastestUnsafe(report);
  if (best === undefined && unsafe === undefined) return slowAnswer(report, names);
  return [
    ...(best === undefined
      ? prose`No kernel here is both faster and safe`
      : bestProse(report, best)),
    ...(unsafe === undefined ? [] : prose`; ${unsafeProse(report, unsafe, best !== undefined)}`),
    ".",
  ];
}

/** The numbers behind the answer, one sentence each. */
export function kernelAbFindings(report: KernelAbReport): readonly Prose[] {
  return [
    ...moveFindings(report),
    ...accuracyFinding(report),
    ...missingFindings(report),
    ...complaintFindings(report),
    ...sameFindings(report),
    ...pageallocFinding(report),
  ];
}

function bestProse(report: KernelAbReport, arm: number): Prose {
  const safety = safetyOf(report.verdicts[arm]!);
  const { place, gain } = mainGain(report, arm)!;
  const base = report.result.arms[0]!.name;
  return prose`Fast and safe: with ${code(report.result.arms[arm]!.name)} ${whoText(place)} get ${gain} times as much done as with ${code(base)}, and the checker finds it ${SAFETY_WORDS[safety]}`;
}

function unsafeProse(report: KernelAbReport, arm: number, after: boolean): Prose {
  const { gain } = mainGain(report, arm)!;
  const steps = unsafeOf(report.verdicts[arm]!).flatMap(
    ({ counterexample }) => counterexample?.replay.steps.length ?? [],
  );
  const name = code(report.result.arms[arm]!.name);
  const how =
    steps.length === 0
      ? prose`the checker finds it unsafe`
      : prose`the checker finds a schedule of ${Math.min(...steps)} steps that breaks it`;
  return after
    ? prose`${name} gets ${gain} times, but ${how}`
    : prose`${name} gets ${gain} times as much done, but ${how}`;
}

/** Where an arm is faster; the first of the main places that says so. */
function mainGain(
  report: KernelAbReport,
  arm: number,
): { readonly place: LoadPlace; readonly gain: string } | undefined {
  for (const place of mainPlaces(report.result)) {
    const measured = gainAt(report, arm, place)?.measured;
    if (measured?.verdict !== "faster") continue;
    const { value, low, high } = measured;
    const range = low && high ? ` (${threeDigits(low)} to ${threeDigits(high)})` : "";
    return { place, gain: `${threeDigits(value)}${range}` };
  }
  return undefined;
}

function isSafe({ verdicts }: KernelAbReport, arm: number): boolean {
  const safety = safetyOf(verdicts[arm] ?? []);
  return safety === "safe" || safety === "safe-if-own";
}

function fastestUnsafe(report: KernelAbReport): number | undefined {
  return armsInOrder(report).find(
    (arm) =>
      safetyOf(report.verdicts[arm] ?? []) === "unsafe" && mainGain(report, arm) !== undefined,
  );
}

/** Two that are one and the same: this tells what the measurement is worth. */
function sameAnswer(report: KernelAbReport, names: Prose): Prose {
  const { arms, comparisons } = report.result;
  const found = comparisons.filter(({ verdict }) => verdict === "faster" || verdict === "slower");
  const same = prose`${code(arms[0]!.name)} and ${names} are one and the same kernel`;
  return found.length === 0
    ? prose`${same}, and the measurement finds no difference, as it must.`
    : prose`${same}, and yet the measurement finds a difference in ${found.length} of ${counted(comparisons.length, "comparison")}: nothing that this host measured now is to be believed.`;
}

function slowAnswer(report: KernelAbReport, names: Prose): Prose {
  const { arms, comparisons } = report.result;
  const base = code(arms[0]!.name);
  const places = listed(mainPlaces(report.result).map((place) => [whoText(place)]));
  const slower = armsInOrder(report).filter((arm) => speedOf(report, arm) === "slower");
  if (slower.length > 0) {
    const own = listed(slower.map((arm) => prose`${code(arms[arm]!.name)}`));
    return prose`No kernel here is shown to be faster than ${base}; slower: ${own}${brokenProse(report)}.`;
  }
  const few = comparisons.some(({ verdict }) => verdict === "too-few");
  const fast = armsInOrder(report).filter((arm) => speedOf(report, arm) === "faster");
  if (fast.length > 0) {
    const own = listed(fast.map((arm) => prose`${code(arms[arm]!.name)}`));
    return prose`Faster than ${base}, and not known to be safe: ${own}.`;
  }
  return prose`No difference was found between ${base} and ${names}, for ${places}${few ? ", as far as there are pairs enough" : ""}${brokenProse(report)}.`;
}

/** What is unsafe is so however fast it is. */
function brokenProse(report: KernelAbReport): Prose {
  const arms = armsInOrder(report).filter(
    (arm) => safetyOf(report.verdicts[arm] ?? []) === "unsafe",
  );
  if (arms.length === 0) return [];
  const names = listed(arms.map((arm) => prose`${code(report.result.arms[arm]!.name)}`));
  return prose`; however fast it is, the checker finds ${names} unsafe`;
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

/** `a`, `a and b`, `a, b and c` */
function listed(items: readonly Prose[]): Prose {
  if (items.length < 2) return items[0] ?? [];
  return [...joined(items.slice(0, -1), ", "), " and ", ...items.at(-1)!];
}

function joined(items: readonly Prose[], between: string): Prose {
  return items.flatMap((item, i) => (i === 0 ? item : [between, ...item]));
}
