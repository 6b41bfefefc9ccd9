// Findings in words. Every sentence says what was measured, and none says more than the finding.

import type {
  Finding,
  InvestigateResult,
  KernelFacts,
  LargestWait,
  PhaseFinding,
  PhaseOutcome,
} from "../analyze/investigate.ts";
import { showsDirectMapLock } from "../analyze/investigate.ts";
import type { LockName, PressurePhaseName, Ratio } from "../analyze/result.ts";
import { assertNever } from "../assert.ts";
import { formatShare, threeDigits } from "../units.ts";
import { ratioText } from "./curve.ts";
import { code, type Prose, prose } from "./prose.ts";
import { cpus } from "./words.ts";

type DoesNotScale = Extract<Finding, { kind: "does-not-scale" }>;

/** The answer in one sentence, for the first line of every report. */
export function answerSentence(result: InvestigateResult): Prose {
  const { lead, beside } = result.answer;
  return prose`On this kernel (${kernelInShort(result.kernel)}) ${claim(lead)}${otherPhase(beside)}.`;
}

/** `6.18.44, 2 CPUs` */
export function kernelInShort({ release, cpuCount }: KernelFacts): string {
  return `${release}, ${cpus(cpuCount)}`;
}

/** The numbers behind one finding, for the list below the answer. */
export function findingSentence(finding: Finding): Prose {
  switch (finding.kind) {
    case "serialised":
    case "held-back":
      return prose`${measured(finding)} Waiting for ${lockCode(finding.lock)} took ${formatShare(finding.shareOfTime)} of their time${calledFrom(finding)}.`;
    case "does-not-scale":
      return prose`${measured(finding)} But ${notTheLock(finding)}.`;
    case "scales":
      return prose`${measured(finding)} It scales${waitBeside(finding)}.`;
    case "undecided":
      return prose`${measured(finding)} The largest lock wait: ${waitOf(finding)}. The intervals are too wide to say whether it scales; more rounds narrow them.`;
    case "control-does-not-scale":
      return prose`control: with ${finding.processes} processes plain memory too got only ${ratioWithInterval(finding.ratio)} the pages per second of one. This machine is busy, or gets less CPU time than it shows: nothing here can be blamed on the direct map.`;
    case "not-recorded":
      return prose`Lock waits were not recorded: ${withoutStop(finding.why)}.`;
    case "no-comparison":
      return prose`Only one process ran, so there is nothing to compare.`;
    case "no-pressure":
      return prose`The load was not run: ${withoutStop(finding.why)}.`;
    default:
      return assertNever(finding);
  }
}

/** What a lock got its name from. */
export const EVIDENCE_WORDS: Readonly<Record<LockName["evidence"], string>> = {
  symbol: "symbol",
  caller: "callers",
  none: "nothing",
};

function claim(lead: Finding): Prose {
  switch (lead.kind) {
    case "serialised":
    case "held-back": {
      const verb = lead.kind === "serialised" ? "serialised by" : "held back by";
      return prose`direct-map changes are ${verb} ${lockCode(lead.lock)}: ${got(lead)}, and ${formatShare(lead.shareOfTime)} of their time was spent waiting for it${calledFrom(lead)}`;
    }
    case "does-not-scale":
      return prose`direct-map changes do not scale: ${got(lead)}, but ${notTheLock(lead)}`;
    case "scales":
      if (!showsDirectMapLock(lead.largestWait)) {
        return prose`direct-map changes scale: ${got(lead)}`;
      }
      return prose`direct-map changes are serialised by ${lockCode(lead.largestWait.lock)}, which ${cpus(lead.processes)} do not yet saturate: ${got(lead)}, and ${formatShare(lead.largestWait.shareOfTime)} of their time was spent waiting for it${calledFrom(lead.largestWait)}`;
    case "undecided":
      return prose`this run cannot tell whether direct-map changes scale: ${lead.processes} processes ${DOING[lead.phase]} got ${ratioWithInterval(lead.ratio)} the pages per second of one`;
    case "control-does-not-scale":
      return prose`this run cannot judge direct-map changes: even plain memory, which needs none, got only ${ratioText(lead.ratio.value)} the pages per second of one with ${lead.processes} processes`;
    case "not-recorded":
    case "no-pressure":
      return prose`direct-map changes were not measured: ${withoutStop(lead.why)}`;
    case "no-comparison":
      return prose`only one process ran, so whether direct-map changes scale is open`;
    default:
      return assertNever(lead);
  }
}

function otherPhase(beside: PhaseFinding | undefined): Prose {
  if (beside === undefined) return [];
  // Source: mm/secretmem.c, secretmem_fault(): flush_tlb_kernel_range() for each page.
  const flush =
    beside.phase === "fill" ? ", which also flushes every CPU's TLB for each page," : "";
  return prose`; ${DOING[beside.phase]}${flush} they got ${ratioText(beside.ratio.value)}`;
}

const DOING: Readonly<Record<PressurePhaseName, string>> = {
  free: "giving pages back",
  fill: "taking fresh pages",
  control: "touching plain memory",
};

function got({ phase, processes, ratio }: PhaseOutcome): string {
  return `${processes} processes ${DOING[phase]} got ${ratioText(ratio.value)} the pages per second of one`;
}

function measured({ phase, processes, ratio, controlRatio }: PhaseOutcome): string {
  const control = controlRatio && `; plain memory got ${ratioText(controlRatio.value)}`;
  return `${phase}: ${processes} processes got ${ratioWithInterval(ratio)} the pages per second of one${control ?? ""}.`;
}

/** `0.58× (0.55 to 0.61)` */
export function ratioWithInterval({ value, low, high }: Ratio): string {
  return `${ratioText(value)} (${threeDigits(low)} to ${threeDigits(high)})`;
}

function calledFrom({ caller, callerShare = 1 }: LargestWait): Prose {
  if (caller === undefined) return [];
  if (callerShare >= 0.95) return prose`, called from ${code(caller)}`;
  if (callerShare >= 0.5) return prose`, mostly called from ${code(caller)}`;
  return prose`, most often called from ${code(caller)}`;
}

/** Continues "It scales". */
function waitBeside({ largestWait }: { largestWait?: LargestWait }): Prose {
  if (largestWait === undefined) return [];
  return prose`; waiting for ${lockCode(largestWait.lock)} took ${formatShare(largestWait.shareOfTime)} of their time${calledFrom(largestWait)}`;
}

function waitOf({ largestWait }: { largestWait?: LargestWait }): Prose {
  if (largestWait === undefined) return prose`none was seen`;
  return prose`${formatShare(largestWait.shareOfTime)} of their time for ${lockCode(largestWait.lock)}${calledFrom(largestWait)}`;
}

/** Continues a sentence after "but". */
function notTheLock({ phase, recorded, largestWait }: DoesNotScale): Prose {
  if (!recorded) return prose`lock waits were not recorded, so the cause is open`;
  const lock =
    largestWait === undefined
      ? prose`no wait for a lock was seen`
      : prose`waiting for locks is not most of the loss: the largest wait, for ${lockCode(largestWait.lock)}, took ${formatShare(largestWait.shareOfTime)} of their time`;
  // Source: mm/secretmem.c, secretmem_fault(): flush_tlb_kernel_range() for each page, no lock held.
  return phase === "fill"
    ? prose`${lock}; each page also costs a TLB flush on all CPUs, which no lock event shows`
    : prose`${lock}; what else limits it, this run cannot tell`;
}

/** A lock in running text. */
export function lockCode(lock: LockName): Prose {
  return lock.evidence === "none" ? prose`the lock at ${code(lock.address)}` : [code(lock.name)];
}

/** Reasons come from elsewhere, with or without a full stop. */
function withoutStop(why: string): string {
  return why.replace(/[.\s]+$/, "");
}
