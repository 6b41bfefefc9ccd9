// What the crew and its workers say to each other over the fork's channel ("advanced"
// serialization: bigints travel as they are).
import type { RoundKind, Span } from "../../core/analyze/pressure.ts";

export const PAGE_BYTES = 4096;

/** What a worker is born with; its only command line argument, as JSON. */
export interface WorkerBirth {
  readonly parentPid: number;
  readonly cpu: number;
  /** The RLIMIT_MEMLOCK it tries to get for itself. */
  readonly memlockBytes: number;
}

export type Order =
  | {
      readonly do: "map";
      readonly kind: RoundKind;
      readonly pages: number;
      /** The pages are in so many files. */
      readonly files: number;
      /** Busy wait after each file is freed. */
      readonly delayNs: number;
    }
  /** `atNs`: the start line, an instant of CLOCK_MONOTONIC. */
  | { readonly do: "fill" | "free"; readonly atNs: bigint };

export type Reply =
  /** `memlockBytes`: the limit it got; Infinity when there is none. */
  | { readonly said: "ready"; readonly memlockBytes: number }
  | { readonly said: "mapped" }
  /**
   * `inTime`: the order arrived before its start line. `delayNs`: mean busy wait, as it was.
   * `preemptions`: how often the process lost its CPU meanwhile.
   */
  | {
      readonly said: "done";
      readonly span: Span;
      readonly inTime: boolean;
      readonly delayNs: number;
      readonly preemptions: number;
    }
  | { readonly said: "failed"; readonly call: string; readonly errno: number };
