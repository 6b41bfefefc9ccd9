// What went wrong, boot by boot.
import type { KernelBoot, Measurement } from "../../event/kernel-run.ts";
import type { BootFailure } from "./result.ts";

/** Of all boots, warm-ups too: what never counts may still fail. */
export function bootFailures(boots: readonly KernelBoot[]): readonly BootFailure[] {
  return boots.flatMap((boot) => {
    const { arm, purpose, vcpus, repetition, role, outcome, why, consoleTail, measurements } = boot;
    const which = { arm, purpose, vcpus, repetition, role };
    const own: BootFailure[] = [];
    if (outcome !== "done") {
      own.push({
        ...which,
        outcome,
        why: why ?? outcome,
        ...(consoleTail === undefined ? {} : { consoleTail }),
      });
    }
    for (const measurement of measurements) {
      const reason = failureOf(measurement, boot);
      if (reason === undefined) continue;
      const { load, threads } = measurement.order;
      own.push({
        ...which,
        outcome: "order-failed",
        why: `${load}, threads ${threads}: ${reason}`,
      });
    }
    return own;
  });
}

function failureOf(measurement: Measurement, { purpose, outcome }: KernelBoot): string | undefined {
  if ("failed" in measurement) return measurement.failed;
  // Where the boot ended early, that is why they are not whole.
  const isMissing = purpose === "count" && outcome === "done" && measurement.locks === undefined;
  return isMissing ? "no lock statistics came with its result, or not all of them" : undefined;
}
