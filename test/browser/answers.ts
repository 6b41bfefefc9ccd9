// What the core answers, as JSON text. The same file runs in Node and, bundled, in a browser tab.
import { checkDesign } from "../../src/core/check/check.ts";
import type { Question } from "../../src/core/check/question.ts";
import type { Scenario } from "../../src/core/scenario/scenario.ts";
import { simulate } from "../../src/core/sim/simulate.ts";

/** The whole result of each storm. */
export function storms(scenarios: readonly Scenario[]): string[] {
  return scenarios.map((scenario) => JSON.stringify(simulate(scenario)));
}

/** The whole verdict of each question: with schedule, states and coverage. */
export function verdicts(questions: readonly Question[]): string[] {
  return questions.map((question) => JSON.stringify(checkDesign(question)));
}
