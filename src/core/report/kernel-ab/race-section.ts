// The run that breaks each unsafe kernel, drawn.
import type { Verdict } from "../../check/check.ts";
import { scheduleSection, verdictSentence } from "../check-report.ts";
import { element, group } from "../markup.ts";
import { cut, visible, wrap } from "../plain-text.ts";
import { code, type Prose, prose, proseMarkup, proseText } from "../prose.ts";
import type { Section } from "../report.ts";
import type { KernelAbReport } from "./input.ts";
import { armsInOrder } from "./ranking.ts";
import { safetyOf, unsafeOf } from "./safety.ts";

const TITLE_CHARS_MAX = 40;

/**
 * One section a kernel: the shortest schedule that breaks it, and what else it is unsafe for. Not of
 * those that break only where two own one page: callers must not do that.
 */
export function raceSections(report: KernelAbReport): readonly Section[] {
  const shown = new Set<string>();
  return [...armsInOrder(report).toReversed(), 0].flatMap((arm) => {
    const own = report.verdicts[arm] ?? [];
    const bad = unsafeOf(own).filter(({ counterexample }) => counterexample !== undefined);
    if (safetyOf(own) !== "unsafe") return [];
    const shortest = bad.toSorted((a, b) => stepsOf(a) - stepsOf(b))[0];
    if (shortest === undefined) return [];
    // Two kernels of one design break in one way.
    const key = JSON.stringify(shortest.counterexample!.schedule);
    if (shown.has(key)) return [];
    shown.add(key);
    return [raceSection(report.result.arms[arm]!.name, arm, shortest, bad)];
  });
}

function raceSection(
  name: string,
  arm: number,
  shortest: Verdict,
  bad: readonly Verdict[],
): Section {
  const id = `race-${arm}`;
  const drawn = scheduleSection(shortest, "linux", id);
  const about = aboutProse(name, shortest, bad);
  return {
    id,
    title: `The race in ${cut(visible(name), TITLE_CHARS_MAX)}`,
    html: group(element("p", {}, proseMarkup(about)), drawn.html),
    text: (size) => `${wrap(proseText(about), size.width)}\n\n${drawn.text!(size)}`,
  };
}

function aboutProse(name: string, shortest: Verdict, bad: readonly Verdict[]): Prose {
  const others = bad.filter((each) => each !== shortest);
  const rest =
    others.length === 0
      ? []
      : prose` It is unsafe for ${others.flatMap(({ operations }, i) => [...(i === 0 ? [] : [", "]), code(operations)])} too.`;
  const whose =
    shortest.design === name ? [] : prose`${code(name)} is the design ${code(shortest.design)}. `;
  return [...whose, ...verdictSentence(shortest), ...rest];
}

function stepsOf({ counterexample }: Verdict): number {
  return counterexample!.replay.steps.length;
}
