// What kernels with their own checks said of the mixed load.
import { firstOfEachKind } from "../../event/kernel-complaint.ts";
import type { KernelBoot, LoadResult } from "../../event/kernel-run.ts";
import { isSamePlace } from "./gains.ts";
import { type Measured, measuredOf, placesOf } from "./measured.ts";
import type { MixedSeen } from "./result.ts";

type MixedResult = Measured & {
  readonly result: Required<LoadResult>;
};

/**
 * @param arms  how many the run has
 * @param boots  of kernels with their own checks
 */
export function mixedSeen(arms: number, boots: readonly KernelBoot[]): readonly MixedSeen[] {
  const measured = measuredOf(boots).filter(isMixed);
  return placesOf(boots).flatMap((place) =>
    Array.from({ length: arms }, (_, arm) => ({
      arm,
      here: measured.filter((each) => each.boot.arm === arm && isSamePlace(each, place)),
    }))
      .filter(({ here }) => here.length > 0)
      .map(({ arm, here }) => {
        const sum = (count: (result: Required<LoadResult>) => number) =>
          here.reduce((total, { result }) => total + count(result), 0);
        return {
          arm,
          vcpus: place.vcpus,
          threads: place.threads,
          attributeChanges: sum(({ attributeChanges }) => attributeChanges),
          toggles: sum(({ ops, attributeChanges }) => ops - attributeChanges),
          wrongEntries: sum(({ wrongEntries }) => wrongEntries),
          wrongAccesses: sum(({ wrongAccesses }) => wrongAccesses),
          complaints: firstOfEachKind(here.flatMap(({ boot }) => boot.complaints)),
        };
      }),
  );
}

/** One that does not say what was wrong says nothing. */
function isMixed(measured: Measured): measured is MixedResult {
  const { attributeChanges, wrongEntries, wrongAccesses } = measured.result;
  return (
    measured.load === "mixed" &&
    attributeChanges !== undefined &&
    wrongEntries !== undefined &&
    wrongAccesses !== undefined
  );
}
