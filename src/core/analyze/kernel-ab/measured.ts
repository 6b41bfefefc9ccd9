// Results of measurements with the boots they are from, and the places they were asked for.
import {
  type BootPurpose,
  GUEST_LOADS,
  type KernelBoot,
  type LoadResult,
  type LockCount,
} from "../../event/kernel-run.ts";
import { isSamePlace } from "./gains.ts";
import type { LoadPlace } from "./result.ts";

/** A result of a boot that counts. */
export interface Measured extends LoadPlace {
  readonly boot: KernelBoot;
  readonly result: LoadResult;
  readonly locks?: readonly LockCount[];
}

/** Boots for a purpose; warm-ups never count. */
export function countedBoots(
  boots: readonly KernelBoot[],
  purpose: BootPurpose,
): readonly KernelBoot[] {
  return boots.filter((boot) => boot.purpose === purpose && boot.role === "measured");
}

/**
 * All results of boots, one for each place of a boot: where it did the same twice, the first. A boot that
 * did not end well has those from before.
 */
export function measuredOf(boots: readonly KernelBoot[]): readonly Measured[] {
  return boots.flatMap((boot) => {
    const own: Measured[] = [];
    for (const measurement of boot.measurements) {
      if ("failed" in measurement) continue;
      const { order, result, locks } = measurement;
      const place = { load: order.load, vcpus: boot.vcpus, threads: order.threads };
      if (own.some((each) => isSamePlace(each, place))) continue;
      own.push({ ...place, boot, result, ...(locks === undefined ? {} : { locks }) });
    }
    return own;
  });
}

/** Each place that these boots were asked for, and answered, if only by a failure: by load, then size. */
export function placesOf(boots: readonly KernelBoot[]): readonly LoadPlace[] {
  const places: LoadPlace[] = [];
  for (const { vcpus, measurements } of boots) {
    for (const { order } of measurements) {
      const place = { load: order.load, vcpus, threads: order.threads };
      if (!places.some((each) => isSamePlace(each, place))) places.push(place);
    }
  }
  return places.sort(
    (a, b) =>
      GUEST_LOADS.indexOf(a.load) - GUEST_LOADS.indexOf(b.load) ||
      a.vcpus - b.vcpus ||
      a.threads - b.threads,
  );
}

/** Throughput, operations a second, of all threads together. */
export function opsPerSecond({ ops, elapsedNs }: LoadResult): number {
  return (ops / elapsedNs) * 1e9;
}
