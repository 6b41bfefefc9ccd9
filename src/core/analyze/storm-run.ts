/** One simulated storm, as the analysis takes it. All times in ns. */
export interface StormRun {
  /** Of each VM, from its request to ready. */
  readonly bootsNs: ArrayLike<number>;
  readonly makespanNs: number;
  readonly locks: readonly StormLockRun[];
  /** Time of a VM in each phase, mean of all VMs. */
  readonly phasesNs: Readonly<Record<string, number>>;
  /** Time that a VM was kept waiting by the policy, for its start and for pages; mean of all VMs. */
  readonly heldBackNs: number;
  /** Shares of all CPUs' time; they sum to 1. */
  readonly cpu: { readonly work: number; readonly spin: number; readonly idle: number };
  /** How it was simulated: what is small is never aggregated. */
  readonly grain: string;
  /** Relative error of boot times against the exact grain; 0: none. */
  readonly errorBound: number;
}

/** A lock, or the PSP's command queue, over a whole storm. */
export interface StormLockRun {
  readonly name: string;
  /** Of VMs and of background threads, all together. */
  readonly waitNs: number;
  readonly holdNs: number;
  /** Share of the makespan in which it was held or handed over. */
  readonly utilisation: number;
  /** Share of the VMs' summed boot times that they waited for it. */
  readonly shareOfBoot: number;
}
