/** One simulated storm. All times are integer nanoseconds after the storm's first instant. */
export interface StormResult {
  readonly vms: readonly VmResult[];
  /** From the first request to the last VM ready. */
  readonly makespanNs: number;
  readonly locks: readonly LockResult[];
  readonly bottleneck: Bottleneck | undefined;
  readonly seed: number;
  readonly grain: "exact" | "sections" | "aggregated";
  /** Relative error of boot times to be expected against the exact grain; 0: this is exact. */
  readonly errorBound: number;
  /** 4 KiB pages whose state changed, of VMs and of background. */
  readonly pages: number;
  /** Page operations: as many as pages, or one for 512 where pages are 2 MiB. */
  readonly operations: number;
  readonly events: number;
  readonly flushes: number;
  /** Share of all CPUs' time in work, in spinning, and idle; they sum to 1. */
  readonly cpu: { readonly work: number; readonly spin: number; readonly idle: number };
}

export interface VmResult {
  readonly name: string;
  readonly group: number;
  readonly requestedNs: number;
  /** When the policy let it start. */
  readonly admittedNs: number;
  readonly readyNs: number;
  /** From request to ready. */
  readonly bootNs: number;
  /** Time in each phase, by name; phases of one name are summed. */
  readonly phasesNs: Readonly<Record<string, number>>;
  /** Waited for locks, and for the PSP while others used it. */
  readonly lockWaitNs: number;
  readonly pspWaitNs: number;
  /** Held back by the policy, the wait to be admitted not counted. */
  readonly heldBackNs: number;
}

/** A lock, or the PSP's command queue, over the whole storm. */
export interface LockResult {
  readonly name: string;
  readonly acquisitions: number;
  readonly contended: number;
  readonly waitNsTotal: number;
  readonly waitNsMax: number;
  /** The VMs' part of `waitNsTotal`. */
  readonly waitNsOfVms: number;
  /** Held, the hand-over not counted. */
  readonly holdNsTotal: number;
  /** Share of the makespan in which it was held or handed over; per-PMD locks: all together. */
  readonly utilisation: number;
  /** Share of the VMs' summed boot times that they waited for it. */
  readonly shareOfBoot: number;
}

/** What the VMs waited for most. */
export interface Bottleneck {
  readonly name: string;
  readonly shareOfBoot: number;
}

/** The PSP's queue, in the words of drivers/crypto/ccp/sev-dev.c. */
export const PSP_QUEUE = "sev_cmd_mutex";
