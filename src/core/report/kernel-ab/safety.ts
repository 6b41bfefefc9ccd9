// What the checker's verdicts on a kernel come to, in one word and operation by operation.
import type { Verdict } from "../../check/check.ts";
import { operationSetOf } from "../../check/question.ts";
import type { TimedVerdict } from "../check-report.ts";

/**
 * `safe`: for all operations. `safe-if-own`: for all in which each page has one owner, as the contract
 * in asm/set_memory.h wants. `unknown`: a verdict is missing, and none is unsafe.
 */
export type Safety = "safe" | "safe-if-own" | "unsafe" | "unknown";

export const SAFETY_WORDS: Readonly<Record<Safety, string>> = {
  safe: "safe",
  "safe-if-own": "safe if each page has one owner",
  unsafe: "UNSAFE",
  unknown: "not known to be safe",
};

export function safetyOf(verdicts: readonly TimedVerdict[]): Safety {
  const bad = unsafeOf(verdicts);
  const others = verdicts.filter(({ verdict }) => verdict.verdict !== "unsafe");
  if (bad.some(({ operations }) => operationSetOf(operations).pages === "own")) return "unsafe";
  if (verdicts.length === 0 || others.some(({ verdict }) => verdict.verdict !== "safe")) {
    return bad.length === 0 ? "unknown" : "unsafe";
  }
  if (bad.length === 0) return "safe";
  return others.length === 0 ? "unsafe" : "safe-if-own";
}

export function unsafeOf(verdicts: readonly TimedVerdict[]): readonly Verdict[] {
  return verdicts.map(({ verdict }) => verdict).filter(({ verdict }) => verdict === "unsafe");
}

/** `✓`, `✗ C1 10`: the law that is broken, and the steps to it; `?`. */
export function verdictMark({ verdict, counterexample }: Verdict): string {
  if (verdict === "safe") return "✓";
  if (verdict === "unknown" || counterexample === undefined) {
    return verdict === "unsafe" ? "✗" : "?";
  }
  return `✗ ${counterexample.law.id.replace(/-.*/, "")} ${counterexample.replay.steps.length}`;
}
