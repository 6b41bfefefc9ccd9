// What the boots of a comparison of kernels say, as data: no words, no layout.
import type {
  ArmDesign,
  BootPurpose,
  GuestLoad,
  KernelBoot,
  KernelBootOutcome,
  LoadLatency,
  LockCount,
} from "../../event/kernel-run.ts";
import type { Distribution } from "../../stats/distribution.ts";

export type { GuestLoad, KernelRun, LockCount } from "../../event/kernel-run.ts";

export interface KernelAbResult {
  /** By the run's arms; the first is the base. */
  readonly arms: readonly ArmResult[];
  /** One for each load, guest size and number of threads that was asked for, in that order. */
  readonly points: readonly LoadPoint[];
  /** Every arm but the base, at every point that both have measured. */
  readonly comparisons: readonly Comparison[];
  /** From kernels with lock statistics, the largest guest. */
  readonly locks: readonly LockPoint[];
  /** From kernels with their own checks on. */
  readonly mixed: readonly MixedSeen[];
  /** Boots that were not `done`, and orders that failed: none is left out. */
  readonly failures: readonly BootFailure[];
  /** Of the host's CPU time while kernels were timed: what was not of our VMs. Absent without boots. */
  readonly otherCpuShare?: number;
}

export interface ArmResult {
  readonly name: string;
  readonly design?: ArmDesign;
  readonly release?: string;
  /** Absent where no order was answered. */
  readonly spinlock?: "test-and-set" | "queued";
  /** Lock statistics came with its times, which are not those of a kernel without. */
  readonly timesCountLocks?: true;
  /** Of purpose `time`, warm-up not counted. */
  readonly boots: number;
  readonly bootsDone: number;
  /** Of its kernels in all boots, of any purpose; of those that differ in numbers only, the first. */
  readonly complaints?: readonly string[];
  /** The first arm before it with the same image and words: measured, there can be no difference. */
  readonly sameAs?: number;
}

/** A load on guests of one size. */
export interface LoadPlace {
  readonly load: GuestLoad;
  readonly vcpus: number;
  readonly threads: number;
}

export interface LoadPoint extends LoadPlace {
  /** By arm; undefined: it was never measured here. */
  readonly arms: readonly (ArmPoint | undefined)[];
}

/** One kernel under one load. Each boot counts as one value. */
export interface ArmPoint {
  readonly opsPerSecond: Distribution;
  readonly meanNs: Distribution;
  /** Medians over boots. */
  readonly latencyNs: LoadLatency;
  /** Boots in which the limit ended threads before they had done all. */
  readonly limited: number;
}

/** Arm against base, by pairs of boots of the same repetition. */
export interface Comparison extends LoadPlace {
  readonly arm: number;
  readonly pairs: number;
  /**
   * Throughput of the arm over that of the base: the pseudo-median of the pairs' ratios (Hodges and
   * Lehmann), and its 95 % interval; from 0 to infinity (absent) where the pairs are too few for one.
   */
  readonly speedUp: { readonly value: number; readonly low?: number; readonly high?: number };
  /** Wilcoxon's signed-rank test, exact, two-sided. */
  readonly p: number;
  /** Adjusted for all comparisons of the result (Holm): below 0.05 is a difference. */
  readonly pAdjusted: number;
  /** `too-few`: with the smallest p of so many pairs it would not be a difference either. */
  readonly verdict: "faster" | "slower" | "no-difference" | "too-few";
}

/** Who waits for which lock under one load, all boots of an arm together. */
export interface LockPoint extends LoadPlace {
  readonly arm: number;
  readonly boots: number;
  readonly opsDone: number;
  /** Only locks with a wait, or that changes of the direct map take; most waited for first. */
  readonly locks: readonly LockCount[];
}

/** What kernels with their own checks said of the mixed load: what was seen, no proof. */
export interface MixedSeen {
  readonly arm: number;
  readonly vcpus: number;
  readonly threads: number;
  readonly attributeChanges: number;
  readonly toggles: number;
  readonly wrongEntries: number;
  readonly wrongAccesses: number;
  readonly complaints: readonly string[];
}

export interface BootFailure {
  readonly arm: number;
  readonly purpose: BootPurpose;
  readonly vcpus: number;
  readonly repetition: number;
  readonly role: KernelBoot["role"];
  /** `order-failed`: the boot was done, and this order was not. */
  readonly outcome: Exclude<KernelBootOutcome, "done"> | "order-failed";
  readonly why: string;
  readonly consoleTail?: readonly string[];
}
