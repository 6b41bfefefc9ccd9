// The answer in one sentence.
import { pairsLeast } from "../../analyze/kernel-ab/enough.ts";
import type { LoadPlace } from "../../analyze/kernel-ab/result.ts";
import { code, type Prose, prose } from "../prose.ts";
import { counted } from "../words.ts";
import type { KernelAbReport } from "./input.ts";
import { listed } from "./listed.ts";
import { armsInOrder, fastestSafe, gainAt, mainPlaces, speedOf } from "./ranking.ts";
import { SAFETY_WORDS, safetyOf, unsafeOf } from "./safety.ts";
import { timesText, whoText } from "./words.ts";

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
  const best = fastestSafe(report);
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
    return { place, gain: timesText(measured) };
  }
  return undefined;
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
