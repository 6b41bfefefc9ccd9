// What happened to VMs that were booted to measure their kernels against each other. Written by
// whoever boots them, one line of JSON a boot in `boots.jsonl` of a run folder; read by the analysis.
import type { RoundLoad } from "./boot.ts";

/**
 * What threads of the guest's kernel do, one operation after the other (kernel/load/bootstorm-load.c).
 * `toggle`: make a page invalid or valid again, where the mapping is 4 KiB already. `split`: the
 * first change in a 2 MiB mapping. `mixed`: attribute changes beside toggling.
 */
export const GUEST_LOADS = ["toggle", "split", "mixed"] as const;

export type GuestLoad = (typeof GUEST_LOADS)[number];

/** One measurement that a guest is asked for. */
export interface LoadOrder {
  readonly load: GuestLoad;
  /** On the first so many vCPUs. */
  readonly threads: number;
  /** Of each thread; `mixed`: of each that changes attributes. */
  readonly ops: number;
  /** Operations of each thread before, not measured. */
  readonly warmUp: number;
  /** A thread ends after so long. */
  readonly limitMs: number;
}

/**
 * Why a kernel is booted. `time`: its throughput counts. `count`: it has lock statistics, which make
 * it slow, and only who waits for which lock counts. `debug`: its own checks count.
 */
export const BOOT_PURPOSES = ["time", "count", "debug"] as const;

export type BootPurpose = (typeof BOOT_PURPOSES)[number];

/**
 * A kernel as it is compared: an image, and the words it is booted with. The first arm of a run is
 * the base that the others are compared with.
 */
export interface KernelArm {
  /** As people call it; unique in a run: `stock`, `no-cpa-lock`, `stock,debug_pagealloc=on`. */
  readonly name: string;
  /** Words for its command line, beside those of every guest. */
  readonly words: readonly string[];
  /** Its image for each purpose that it is booted for. */
  readonly images: Readonly<Partial<Record<BootPurpose, ArmImage>>>;
  /** Why it is not booted for a purpose that was asked for. */
  readonly lacks: Readonly<Partial<Record<BootPurpose, string>>>;
  /** The lock design of `check` that it stands for, where that is known. */
  readonly design?: ArmDesign;
}

export interface ArmImage {
  readonly path: string;
  /** Of the file, in hex: two arms with the same one, and the same words, are the same kernel. */
  readonly sha256: string;
}

export interface ArmDesign {
  /** A name of `check --design`. */
  readonly name: string;
  /** What the direct map is made of when the operations begin. */
  readonly start: "2m" | "4k";
}

/**
 * How a boot ended. `done`: every order was answered, if only by its failure. `panic`: the kernel gave
 * up. `hung`: it said nothing for too long, or did not end. `ended`: the VM ended by itself before it
 * was done. `vmm-failed`: QEMU did not start, or failed by itself. `killed`: a signal from elsewhere.
 */
export const KERNEL_BOOT_OUTCOMES = [
  "done",
  "panic",
  "hung",
  "ended",
  "vmm-failed",
  "killed",
] as const;

export type KernelBootOutcome = (typeof KERNEL_BOOT_OUTCOMES)[number];

/** One boot of one kernel, whatever became of it. */
export interface KernelBoot {
  /** By index into the run's arms. */
  readonly arm: number;
  readonly purpose: BootPurpose;
  readonly vcpus: number;
  /** 0-based. All arms are booted once in each repetition, in turn and back: A B, B A, A B … */
  readonly repetition: number;
  /** `warm-up` boots are kept and never counted. */
  readonly role: "warm-up" | "measured";
  /** Milliseconds after the run began. */
  readonly startedMs: number;
  readonly elapsedMs: number;
  readonly outcome: KernelBootOutcome;
  /** For people. Absent for `done`. */
  readonly why?: string;
  /** The last lines of its console, control characters removed; for boots that are not `done`. */
  readonly consoleTail?: readonly string[];
  /** `6.12.117-no-cpa-lock`, as the guest's load says; absent where no order was answered. */
  readonly release?: string;
  /** In the order of the orders; those of a boot that did not end are missing at the end. */
  readonly measurements: readonly Measurement[];
  /** What the kernel complained of on its console, each once: `BUG: …`, `WARNING: …`, `INFO: …`. */
  readonly complaints: readonly string[];
  /** What the host did meanwhile. */
  readonly load: RoundLoad;
}

export type Measurement =
  | {
      readonly order: LoadOrder;
      readonly result: LoadResult;
      /** Of this measurement alone; kernels with lock statistics only. Locks that nobody took are left out. */
      readonly locks?: readonly LockCount[];
    }
  /** The kernel could not do it: no memory, for one. */
  | { readonly order: LoadOrder; readonly failed: string };

/** What a guest says of one measurement. Times are by its TSC. */
export interface LoadResult {
  /** Which spin lock the kernel uses: the unfair one of VMs, or the queue that hosts have. */
  readonly spinlock: "test-and-set" | "queued";
  readonly debugPagealloc: boolean;
  /** Done by all threads. Fewer than asked for where the limit ended them. */
  readonly ops: number;
  readonly opsAsked: number;
  /** The kernel returned an error. */
  readonly opsFailed: number;
  /** Large entries of the direct map that were split meanwhile. */
  readonly splits: number;
  /** From the first thread's begin to the last one's end. */
  readonly elapsedNs: number;
  /** Of all threads' operations; percentiles are upper bounds, right to 1/16. */
  readonly latencyNs: LoadLatency;
  /** `mixed`: how many of the operations changed attributes; the others toggled pages beside them. */
  readonly attributeChanges?: number;
  /** `mixed`: how often a page did not have what its owner had asked for last. */
  readonly wrongEntries?: number;
  readonly wrongAccesses?: number;
}

export interface LoadLatency {
  readonly mean: number;
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
  readonly max: number;
}

/** A lock in `/proc/lock_stat`. Its times are those of a kernel that counts: only their ratios tell. */
export interface LockCount {
  /** `cpa_lock`, without the mode that rw locks have behind it. */
  readonly name: string;
  readonly acquired: number;
  readonly contended: number;
  readonly waitNsTotal: number;
  readonly waitNsMax: number;
  readonly holdNsTotal: number;
  /** Who waited, most often first: a function of the kernel and how often. */
  readonly waiters: readonly { readonly fn: string; readonly contended: number }[];
}

/** All that is known of a run before its first boot; `kernel-ab.json` of a run folder. */
export interface KernelRun {
  readonly arms: readonly KernelArm[];
  /** Guest sizes for `time`. */
  readonly vcpus: readonly number[];
  readonly seed: number;
  readonly accelerator: "kvm" | "tcg";
  /** As in `-cpu`. */
  readonly cpuModel: string;
  readonly qemu: string;
  /** CPUs of the host that the VMs may use. */
  readonly hostCpus: number;
  readonly hostCpuModel: string;
  readonly hostKernel: string;
  /** UTC, to the minute. */
  readonly at: string;
}
