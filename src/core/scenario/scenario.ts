import type { PolicySpec } from "../policy/policy.ts";
import type { MachineProfile } from "./machine.ts";

/**
 * A storm to simulate: everything that can change the answer is a field, with its unit in its
 * name. This is the shape of the file too, once the defaults are filled in (`schema.ts`).
 */
export interface Scenario {
  readonly name: string;
  /** One line: what it shows. */
  readonly title: string;
  readonly host: ScenarioHost;
  /** At least one group. VMs are numbered through the groups in this order. */
  readonly guests: readonly ScenarioGuests[];
  readonly arrivals: Arrivals;
  readonly background: Background;
  /** Asks pass them in this order; none: nothing is held back. */
  readonly policy: readonly PolicySpec[];
  readonly run: Run;
  readonly chart: ScenarioChart;
  /** The product of all axes is run; none: one point. */
  readonly sweep: readonly SweepAxis[];
}

export interface ScenarioHost {
  /** Logical CPUs: sockets × cores × smt. */
  readonly cpus: number;
  readonly sockets: number;
  /** Cores that share an L3 (a core complex). */
  readonly coresPerL3: number;
  /** Hardware threads of a core. */
  readonly smt: 1 | 2;
  readonly memoryGiB: number;
  /** `2022`: every 4 KiB page unmapped and mapped again. `6.9+`: split once. */
  readonly kernel: "2022" | "6.9+";
  /** A lock design of the kernel model. */
  readonly design: string;
  readonly directMap: DirectMap;
  /** Where guest memory lies: 2 MiB runs, or single pages spread over many 2 MiB regions. */
  readonly placement: "contiguous" | "scattered";
  /** How a TLB flush reaches the other CPUs: an IPI to each, or INVLPGB. */
  readonly flush: "ipi" | "broadcast";
  readonly costs: Costs;
  readonly psp: Psp;
  /** Each further boot in service lengthens the work of all by this share. */
  readonly workPerBoot: number;
}

export interface DirectMap {
  /** `warm`: earlier guests have left it split into 4 KiB entries wherever guests live. */
  readonly state: "cold" | "warm";
  /** Cold: which part of memory is mapped by entries of which size. They sum to 1. */
  readonly share1g: number;
  readonly share2m: number;
  readonly share4k: number;
}

export interface Costs {
  /** A cost table of the kernel model, or the file of a calibration. */
  readonly table: string;
  /** Replaces single costs of the table. */
  readonly ns: Readonly<Record<string, number>>;
}

/** The AMD secure processor: one command at a time. Stands in for the PSP costs of the table. */
export interface Psp {
  /** SNP_LAUNCH_UPDATE of one 4 KiB page. */
  readonly updateMs: number;
  /** What the first update of a launch costs more. */
  readonly firstUpdateMs: number;
  /** Create, start, activate and finish, for each VM. */
  readonly fixedMs: number;
}

export interface ScenarioGuests {
  readonly name: string;
  readonly count: number;
  readonly tenant: number;
  readonly vcpus: number;
  readonly memoryMiB: number;
  /** Measured and encrypted by the PSP page by page. */
  readonly firmwareMiB: number;
  /** Pages beside the firmware that the PSP updates: VMSA, CPUID, secrets, metadata. */
  readonly launchExtraPages: number;
  /** Kernel and initrd as loaded. Part of what is accepted under lazy acceptance. */
  readonly kernelMiB: number;
  readonly acceptance: "eager" | "lazy";
  /** Lazy: this share of memory is accepted before the guest is ready, and at least lazyMinMiB. */
  readonly lazyShare: number;
  readonly lazyMinMiB: number;
  /** vCPUs that accept memory side by side. */
  readonly acceptVcpus: number;
  /** Page size of the RMP entries and of guest_memfd. */
  readonly pageSize: "4k" | "2m";
  /** Entries of one page state change request: 1 (MSR protocol) to 253 (a full GHCB). */
  readonly pscEntries: number;
  /** In this order, up to userspace ready. */
  readonly phases: readonly Phase[];
  /** What is started where real VMs are; a simulation ignores it. */
  readonly machine?: MachineProfile | undefined;
}

export type Phase =
  /** The VMM and the PSP: create, update `firmwareMiB` and `launchExtraPages`, finish. */
  | { readonly kind: "launch"; readonly name: string }
  /** One vCPU works. */
  | { readonly kind: "run"; readonly name: string; readonly ms: number }
  /** The guest accepts its memory: all of it, or what lazy acceptance needs. */
  | { readonly kind: "accept"; readonly name: string }
  /** Nobody works: a device or a timer is waited for. */
  | { readonly kind: "wait"; readonly name: string; readonly ms: number };

export type Arrivals =
  | { readonly kind: "together" }
  /** Evenly spaced, the last one after `overMs`. */
  | { readonly kind: "ramp"; readonly overMs: number }
  /** Evenly spaced. */
  | { readonly kind: "rate"; readonly perSecond: number }
  | { readonly kind: "poisson"; readonly perSecond: number };

export interface Background {
  /** Host threads that call rmpupdate() in a loop. */
  readonly rmpupdateThreads: number;
  /** What each of them does between two calls. */
  readonly rmpupdateThinkUs: number;
  /** Host threads that only burn their CPU. */
  readonly cpuBurners: number;
  readonly cpuBurnerWeight: number;
  /** Guests that are up and flip pages between private and shared as fast as they can. */
  readonly abusers: Abusers;
}

export interface Abusers {
  readonly count: number;
  readonly vcpus: number;
  readonly tenant: number;
  readonly pscEntries: number;
  readonly pageSize: "4k" | "2m";
  /** The memory each flips. */
  readonly memoryMiB: number;
}

export interface Run {
  readonly seed: number;
  /** Every instruction, lock to lock, or many page operations at once. */
  readonly grain: "exact" | "sections" | "aggregated";
  readonly replications: Replications;
  /** Of lock holds and of the work between them. */
  readonly spread: "none" | "exponential";
  /** Coefficient of variation of `run` and `wait` phases, log-normal. */
  readonly phaseSpread: number;
}

export type Replications =
  | { readonly kind: "count"; readonly count: number }
  /** Until the 95 % interval of the mean boot time is this narrow, relative to the mean. */
  | {
      readonly kind: "width";
      readonly relativeWidth: number;
      readonly min: number;
      readonly max: number;
    };

/** How boot times are drawn; no number depends on it. */
export interface ScenarioChart {
  /** `percent`: of the first point of each line. */
  readonly unit: "s" | "percent";
  /** `auto`: logarithmic where boot times spread over a factor of 8. */
  readonly scale: "auto" | "log";
}

export interface SweepAxis {
  /** A field of this scenario: `guests[0].count`, `host.design`, `policy[0].options.boots`. */
  readonly path: string;
  readonly values: readonly SweepValue[];
}

/** A scalar, or for `policy` a whole list of policies. */
export type SweepValue = number | string | boolean | readonly PolicySpec[];
