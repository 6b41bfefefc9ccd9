import { type Design, parseLockUse, type Section } from "../design.ts";
import type { FlushRange, Path } from "../operation.ts";

/** What a path knows of the kernel it is compiled into. */
export interface Kernel {
  readonly design: Design;
  /** A flush is one step (INVLPGB, or an IPI round seen by one observer), or sent and awaited. */
  readonly flush: "broadcast" | "ipi";
  /** The direct map starts as one 1 GiB entry above the 2 MiB ones. */
  readonly pud: boolean;
}

/** Takes the locks of a section in the design's order. */
export function* enter(
  kernel: Kernel,
  section: Section,
  fn: string,
  live: readonly number[] = [],
): Path {
  for (const use of kernel.design.sections[section]) {
    const { lock, shared } = parseLockUse(use);
    yield { op: "lock", lock, shared, fn, what: `lock ${use}`, live };
  }
}

/** Drops them in the opposite order. */
export function* leave(
  kernel: Kernel,
  section: Section,
  fn: string,
  live: readonly number[] = [],
): Path {
  for (const use of kernel.design.sections[section].toReversed()) {
    const { lock, shared } = parseLockUse(use);
    yield { op: "unlock", lock, shared, fn, what: `unlock ${use}`, live };
  }
}

export function* flushTlb(
  kernel: Kernel,
  range: FlushRange,
  fn: string,
  what: string,
  live: readonly number[] = [],
): Path {
  if (kernel.flush === "broadcast") {
    yield { op: "flush", range, fn, what, live };
    return;
  }
  yield { op: "flushSend", range, fn, what: `${what}, send IPIs`, live };
  yield { op: "flushWait", range, fn, what: `${what}, all CPUs have answered`, live };
}
