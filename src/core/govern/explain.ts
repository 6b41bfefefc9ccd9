// The words for a decision. Who shows a permit says them; the ledger knows only reasons.
import { assertNever } from "../assert.ts";
import type { CapCause, Reason } from "../policy/policy.ts";
import { formatCount, formatNs, formatShare } from "../units.ts";
import type { Permit } from "./permit.ts";

/**
 * Why a permit waits, or had to: `held 1.80 s: 3 boots in service, cap 3 because lock wait 41 % > 20 %`.
 * @param heldUntilNs  nothing is granted before; 0 where nothing is held
 */
export function explainPermit(permit: Permit, nowNs: number, heldUntilNs: number): string {
  const waitedNs = (permit.grantedNs ?? permit.endedNs ?? nowNs) - permit.askedNs;
  const held = `held ${formatNs(waitedNs)}`;
  if (permit.reason !== undefined) return `${held}: ${explainReason(permit.reason)}`;
  if (permit.grantedNs !== undefined) return `${held}: there was room`;
  if (heldUntilNs === 0) return held;
  const restNs = heldUntilNs - nowNs;
  return `${held}: the state was lost; nothing is granted for ${formatNs(restNs)} more, until every lease of before is over`;
}

export function explainReason(reason: Reason): string {
  switch (reason.rule) {
    case "cap": {
      const { inService, cap, because } = reason;
      const boots = inService === 1 ? "boot" : "boots";
      return `${formatCount(inService)} ${boots} in service, cap ${formatCount(cap)} ${explainCause(because)}`;
    }
    case "rate":
      return `${formatCount(reason.pagesPerSecond)} pages per second for the ${reason.scope} are used up`;
    case "turn":
      return `${formatCount(reason.ahead)} go before it in the ${reason.scope}'s turn`;
    default:
      return assertNever(reason);
  }
}

function explainCause(because: CapCause): string {
  switch (because.kind) {
    case "configured":
      return "as configured";
    case "start":
      return "to begin with: nothing was measured yet";
    case "boot-failed":
      return "because a boot failed";
    case "boot-time":
      return `because boot time ${formatNs(because.seen)} > ${formatNs(because.limit)}`;
    case "queue-time":
      return `because queue time ${formatNs(because.seen)} > ${formatNs(because.limit)}`;
    case "lock-wait":
      return `because lock wait ${formatShare(because.seen)} > ${formatShare(because.limit)}`;
    case "cpus":
      return `as there are ${formatCount(because.cpus)} CPUs`;
    case "boot-work":
      return `because CPU time per boot ${overLeast(because)}`;
    case "boot-queue":
      return `because time per boot, with idle CPUs, ${overLeast(because)}`;
    case "idle-cpus":
      return `raised: ${formatShare(because.share)} of the CPUs idle`;
    case "neighbours":
      return `raised: ${because.threads.toFixed(1)} threads of others compete for the CPUs`;
    case "measuring":
      return "for a moment, to measure what a boot takes with few beside it";
    case "room":
      return "raised when there was room";
    default:
      return assertNever(because);
  }
}

/** `2.75 s > 1.2 × 1.82 s` */
function overLeast(because: {
  readonly seenNs: number;
  readonly leastNs: number;
  readonly limit: number;
}): string {
  const { seenNs, leastNs, limit } = because;
  return `${formatNs(seenNs)} > ${limit} × ${formatNs(leastNs)}`;
}
