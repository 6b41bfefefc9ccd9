// What the simulator says of kernels in a guest, from what the base kernel showed there.
import type { GuestLoad } from "../../event/kernel-run.ts";

/** A load on guests of one size. */
export interface PredictPlace {
  readonly load: Exclude<GuestLoad, "mixed">;
  readonly vcpus: number;
  readonly threads: number;
}

/** What the base kernel did: one value a boot. */
export interface BasePoint extends PredictPlace {
  /** Time of one operation on average, as its thread saw it. */
  readonly meanNs: readonly number[];
  readonly opsPerSecond: readonly number[];
}

export interface PredictionInput {
  /** Of the base kernel, by name as `check` has them. */
  readonly baseDesign: string;
  /** Every point of the base that was measured; the calibration chooses which it may see. */
  readonly base: readonly BasePoint[];
  /** Designs to predict, the base's own among them. */
  readonly designs: readonly PredictedDesign[];
  /** CPUs of the host under the guest's vCPUs. */
  readonly hostCpus: number;
  readonly spinlock: "test-and-set" | "queued";
  readonly seed: number;
}

export interface PredictedDesign {
  readonly name: string;
  readonly start: "2m" | "4k";
}

export interface PredictedPoint extends PredictPlace {
  /** By index into the input's designs. */
  readonly design: number;
  readonly opsPerSecond: number;
  /** Where the calibrated costs are at the ends of their intervals. */
  readonly low: number;
  readonly high: number;
  /** The calibration has seen this point: no prediction, a check of the fit. */
  readonly fitted: boolean;
}

/** A cost that was fitted to the base kernel's points. */
export interface GuestCost {
  /** What it stands for: a key of the cost table, or a sum of several by name. */
  readonly name: string;
  readonly ns: number;
  readonly low: number;
  readonly high: number;
}

/** A prediction, or the reason why there is none. */
export type GuestPredictionOutcome = GuestPrediction | NoGuestPrediction;

export interface NoGuestPrediction {
  readonly why: string;
}

export interface GuestPrediction {
  readonly costs: readonly GuestCost[];
  readonly points: readonly PredictedPoint[];
  /** What the model leaves out, and which number that bends; one sentence each. */
  readonly leavesOut: readonly string[];
}
