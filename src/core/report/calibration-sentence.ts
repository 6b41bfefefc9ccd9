// What a calibration found, in sentences, and what of it holds elsewhere.
import type { CalibrationResult, FittedCost, RecordedWait } from "../analyze/calibration-result.ts";
import { showsLock } from "../analyze/free-sweep.ts";
import { formatNs, threeDigits } from "../units.ts";
import { ratioText } from "./curve.ts";
import { code, type Prose, prose } from "./prose.ts";
import { kernelInShort, lockCode, ratioWithInterval } from "./sentence.ts";
import { processes } from "./words.ts";

export function calibrationAnswer({ kernel, calibration, slowdown }: CalibrationResult): Prose {
  const { holdNs, outsideNs, kneeProcesses, predictionErrorPercent } = calibration;
  const fit = prose`holds its lock for ${withInterval(holdNs)}, hand-off included, with ${withInterval(outsideNs)} of a page's work outside it: the lock saturates at ${kneeText(kneeProcesses)}; predictions are off by ${percent(predictionErrorPercent.median)} in the median and ${percent(predictionErrorPercent.max)} at most`;
  const host = kernelInShort(kernel);
  return showsLock(slowdown)
    ? prose`On this host (${host}) a direct-map change ${fit}.`
    : prose`On this host (${host}) the hold of the direct-map lock cannot be told: ${processes(slowdown.processes)} lose not clearly more by running together (${ratioText(slowdown.secret.value)}) than with plain memory (${ratioText(slowdown.plain.value)}), which takes no such lock. In the best fit, weakly identified, a direct-map change ${fit}.`;
}

export function calibrationFindings({
  calibration,
  slowdown,
  recorded,
}: CalibrationResult): Prose[] {
  const { spread, holdNs, outsideNs, flushNs, fileNs, faultNs } = calibration;
  const weak = [
    { name: "the hold of the lock", cost: holdNs },
    { name: "the work outside it", cost: outsideNs },
    { name: "the time of a file", cost: fileNs },
    { name: "the TLB flush", cost: flushNs },
    { name: "the fault", cost: faultNs },
  ].filter(({ cost }) => cost.identified === "weakly");
  return [
    prose`By running together ${processes(slowdown.processes)} take ${ratioWithInterval(slowdown.secret)} as long a page as one; for plain memory, the control, ${ratioWithInterval(slowdown.plain)}.`,
    prose`A TLB flush of all CPUs makes its sender wait ${withInterval(flushNs)}; the fault of a plain page takes ${withInterval(faultNs)}.`,
    prose`${SPREAD[spread]}`,
    ...(weak.length === 0
      ? []
      : [
          prose`Weakly identified: ${weak.map(({ name }) => name).join(", ")}. The points hardly change where it is another, so take the interval.`,
        ]),
    ...(recorded === undefined ? [] : [recordedSentence(recorded)]),
  ];
}

const SPREAD = {
  none: "Holds and work of constant length describe the points best.",
  exponential: "Holds and work of exponentially distributed length describe the points best.",
} as const;

/** The independent check: both numbers, and nothing was fitted to the first. */
function recordedSentence(recorded: RecordedWait): Prose {
  const { lock, waitNsPerPage, predictedNsPerPage, pagesPerFile, visibility, price } = recorded;
  const bound = visibility === "all" ? "" : " at least";
  return prose`Recorded apart, ${processes(recorded.processes)} freeing files of ${pagesPerFile} pages waited${bound} ${formatNs(waitNsPerPage)} a page for ${lockCode(lock)}; the model, which was not fitted to waits, says ${formatNs(predictedNsPerPage)}. In recorded rounds a page took ${ratioWithInterval(price)} as long as in others.`;
}

// Source: mm/secretmem.c (secretmem_fault, secretmem_free_folio), v6.18, and the direct-map changes of
// rmpupdate's callers, arch/x86/virt/svm/sev.c: both end in __change_page_attr_set_clr.
/** What the numbers say of other loads, and what they do not. */
export const TRANSFER: readonly Prose[] = [
  prose`The hold and its hand-off are those of every change of a 4 KiB entry on this host, so also of those that ${code("rmpupdate")} brings with it: ${code("memfd_secret")} takes the same path through ${code("__change_page_attr_set_clr")}. With CPUs farther apart than those that took part, the hand-off costs more.`,
  prose`The work outside is this load's own: what freeing a secret page costs beside its direct-map change (clearing it, the page cache, the allocator). A VM that starts does other work between two changes, and a scenario says which.`,
  prose`The flush is that of one page by one sender to all CPUs of this host. Direct-map changes of SNP hosts flush only where a large entry is split; with more CPUs a flush takes longer.`,
  prose`The RMP, the PSP and guests are not in these numbers: no SNP hardware took part.`,
];

function withInterval({ ns, low, high }: FittedCost): string {
  return `${formatNs(ns)} (${formatNs(low)} to ${formatNs(high)})`;
}

/** `2.63 processes (1.80 to 4.20)`. */
function kneeText({ value, low, high }: CalibrationResult["calibration"]["kneeProcesses"]): string {
  // Resamples that leave the lock no hold have no knee.
  const upTo =
    high < KNEE_MAX ? `${threeDigits(low)} to ${threeDigits(high)}` : `${threeDigits(low)} or more`;
  return `${threeDigits(value)} processes (${upTo})`;
}

const KNEE_MAX = 10_000;

function percent(value: number): string {
  return `${threeDigits(value)} %`;
}
