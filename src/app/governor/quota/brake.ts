import { BootstormError } from "../../../core/error.ts";
import { slicesOf } from "../../../core/govern/quota.ts";
import { type Pauses, startPauses } from "../../../host/cgroup/pauses.ts";
import type { TakenCgroup } from "../../../host/cgroup/take.ts";
import type { Subject } from "./subject.ts";

/**
 * `freeze`: all threads rest together, never for more than 80 ms. `limit`: less CPU time, by cpu.max
 * or cfs_quota_us.
 */
export type Means = "freeze" | "limit";

/** What slows one subject. */
export interface Brake {
  readonly means: Means;
  /** @param cpusMax  the most CPU time for each time that it was seen to use */
  set(runShare: number, cpusMax: number): void;
  /** Everything as before. Safe to call again. */
  release(): void;
}

/**
 * @param means  in the order in which they are tried
 * @param failed  a brake that held has let go; it is released
 * @returns why there is none
 */
export function openBrake(
  subject: Subject,
  means: readonly Means[],
  failed: (why: string) => void,
): Brake | { readonly why: string } {
  const refusal = subject.refusal();
  if (refusal !== undefined) return { why: refusal };
  const reasons: string[] = [];
  for (const each of means) {
    const taken = attempt(() => subject.take(each === "freeze" ? "frozen" : "limit"));
    if (taken.kind === "taken")
      return each === "freeze" ? freeze(taken, failed) : limit(taken, failed);
    reasons.push(`${each}: ${taken.why}`);
  }
  return { why: reasons.join("; ") };
}

function freeze(taken: TakenCgroup, failed: (why: string) => void): Brake {
  let pauses: Pauses | undefined;
  const release = () => {
    attempt(() => pauses?.stop());
    attempt(() => taken.release());
  };
  const lose = (error: unknown) => {
    release();
    failed(whyOf(error));
  };
  return {
    means: "freeze",
    set(runShare) {
      const slices = slicesOf(runShare);
      if (pauses !== undefined) return pauses.set(slices);
      try {
        pauses = startPauses(taken, slices, lose);
      } catch (error) {
        lose(error);
      }
    },
    release,
  };
}

function limit(taken: TakenCgroup, failed: (why: string) => void): Brake {
  const release = () => {
    attempt(() => taken.release());
  };
  return {
    means: "limit",
    set(runShare, cpusMax) {
      try {
        taken.setLimit(runShare * cpusMax);
      } catch (error) {
        release();
        failed(whyOf(error));
      }
    },
    release,
  };
}

/** What the host refuses is an answer. */
function attempt<T>(work: () => T): T | { readonly kind: "none"; readonly why: string } {
  try {
    return work();
  } catch (error) {
    return { kind: "none", why: whyOf(error) };
  }
}

function whyOf(error: unknown): string {
  if (!(error instanceof BootstormError)) throw error;
  return `${error.message}: ${error.why}`;
}
