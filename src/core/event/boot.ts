// What happened to real VMs that were started together. Written by whoever starts them, read by the
// analysis; one line of JSON a round in `rounds.jsonl` of a run folder.

/**
 * What a boot passes, in this order. Which of them can be seen depends on the VM: what was not seen
 * is absent, never 0.
 */
export const MILESTONES = [
  /** Somebody wants the VM. */
  "requested",
  /** The policy lets it go. */
  "admitted",
  /** The VMM's process exists. */
  "spawned",
  /** The VMM answers on its control socket. */
  "vmmReady",
  /** The vCPUs run. */
  "resumed",
  /** First sign of life of the firmware. */
  "firmware",
  /** First sign of life of the kernel. */
  "kernel",
  /** The first process of userspace runs. */
  "init",
  /** The guest says that it is ready. */
  "ready",
  /** The VMM's process has ended. */
  "exited",
] as const;

export type Milestone = (typeof MILESTONES)[number];

/** Who told of a milestone. */
export type MilestoneSource = "driver" | "qmp" | "debug-port" | "serial";

export interface MilestoneSeen {
  /** Nanoseconds after the round's origin, by the host's monotonic clock. */
  readonly atNs: number;
  readonly source: MilestoneSource;
  /** The guest's own clock at that moment, ns after its start, where it gave one. */
  readonly guestNs?: number;
}

/**
 * How a boot ended. `ready`: it got there. `panic`: the guest's kernel gave up. `ended`: the guest or
 * its VMM ended before it was ready. `vmm-failed`: the VMM did not start, or failed by itself.
 * `timeout`: not ready in time. `killed`: a signal from elsewhere ended the VMM. `not-started`: the
 * round was given up before its turn came.
 */
export const OUTCOMES = [
  "ready",
  "panic",
  "ended",
  "vmm-failed",
  "timeout",
  "killed",
  "not-started",
] as const;

export type Outcome = (typeof OUTCOMES)[number];

/** How guest code runs: `snp` and `kvm` on the CPU, `tcg` by QEMU's emulation, `command` unknown. */
export type Accelerator = "snp" | "kvm" | "tcg" | "command";

/** One VM of one round. */
export interface BootRecord {
  readonly name: string;
  /** The group of guests of the scenario it belongs to. */
  readonly group: string;
  readonly accelerator: Accelerator;
  readonly seen: Readonly<Partial<Record<Milestone, MilestoneSeen>>>;
  readonly outcome: Outcome;
  /** Why it did not get ready, for people. Absent for `ready`. */
  readonly why?: string;
  /** The last lines of its console, control characters removed; for boots that failed. */
  readonly consoleTail?: readonly string[];
  /** Absent when it never had one. */
  readonly pid?: number;
  /** Names of the VMM's threads by thread id, to tell vCPUs from others. */
  readonly threads?: Readonly<Record<string, string>>;
  /** CPU time of the VMM's process, user and system, from its start to ready or its end. */
  readonly cpuNs?: number;
  /** The same time of its vCPU threads alone, and how long these were runnable without a CPU
   * (/proc/PID/task/TID/schedstat), summed over vCPUs. */
  readonly vcpuCpuNs?: number;
  readonly vcpuRunDelayNs?: number;
  /** The most memory of its own (Pss where the kernel tells, else Rss) that was seen. */
  readonly memoryBytes?: number;
  /** Absent when the VM was not started. */
  readonly console?: ConsoleKept;
}

/** What came of a VM's console. */
export interface ConsoleKept {
  /** All that came. */
  readonly bytes: number;
  /** How much of its beginning is in the VM's `console.log`. */
  readonly keptBytes: number;
  /** Why that is not all. */
  readonly lostBecause?: string;
}

/** What the host did during a round. Shares are of all CPUs together, 0..1. */
export interface RoundLoad {
  readonly cpuBusyShare: number;
  /** CPU time of everything that is not the round's VMs. */
  readonly otherCpuNs: number;
  /** `some` of /proc/pressure/cpu, 0..1 of the round; absent where the kernel has no PSI. */
  readonly cpuPressureShare?: number;
  readonly memAvailableBytesLow: number;
}

/** The VMs of one round were started by one rule, and nothing else was. */
export interface BootRound {
  /** VMs that were asked for. */
  readonly vms: number;
  /** The rule of admission as a word: `none`, `2`, `boot-cap-aimd`. */
  readonly limit: string;
  /** `confidential` or `plain`: what the round boots where both are compared. */
  readonly kind: "confidential" | "plain";
  /** Direct-map pressure processes that ran beside. */
  readonly pressure: number;
  readonly repetition: number;
  /** `warm-up` rounds are kept and never counted. `recorded`: the recorder ran, times are not counted. */
  readonly role: "warm-up" | "measured" | "recorded";
  /** CLOCK_MONOTONIC of the round's time 0, as a decimal string: the trace of the round has the same. */
  readonly originNs: string;
  /** From time 0 until the last VM was ready or had failed. */
  readonly spanNs: number;
  readonly boots: readonly BootRecord[];
  readonly load: RoundLoad;
}
