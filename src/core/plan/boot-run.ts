/** What planning needs of a simulated storm. Times in ns. */
export interface BootRun {
  /** Of each VM in the order of requests, from its request to ready. */
  readonly bootsNs: ArrayLike<number>;
  readonly makespanNs: number;
  /** Locks, and the queue of the PSP. */
  readonly locks: readonly { readonly name: string; readonly holdNs: number }[];
  /** Time of a VM in each phase, mean of all VMs. */
  readonly phasesNs: Readonly<Record<string, number>>;
  /** Share of all CPUs' time in work. */
  readonly cpu: { readonly work: number };
}
