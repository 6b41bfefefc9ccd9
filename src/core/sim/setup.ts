import type { CostsNs } from "../kernel/cost/cost-table.ts";
import type { Design } from "../kernel/design.ts";
import type { Policy } from "../policy/policy.ts";
import type { PageOp } from "./program.ts";
import type { Topology } from "./topology.ts";

/** A storm as the engine takes it: plain numbers, everything resolved. */
export interface StormSetup {
  readonly topology: Topology;
  readonly costs: CostsNs;
  readonly design: Design;
  readonly flush: "ipi" | "broadcast";
  readonly memory: HostMemory;
  readonly vms: readonly VmSetup[];
  /** Host threads that never end; the storm is over when all VMs are ready. */
  readonly background: readonly BackgroundTask[];
  /** What pages phases refer to by index. */
  readonly ops: readonly PageOp[];
  readonly policy: Policy | undefined;
  /** Of lock holds and of the work between them. */
  readonly spread: "none" | "exponential";
  /** Coefficient of variation of `work` and `wait` phases, log-normal. */
  readonly phaseSpread: number;
  /** Each further boot in service lengthens the work of all by this share; absent: 0. */
  readonly workPerBoot?: number;
  readonly seed: number;
  /** `exact`: every operation of the kernel model is an event; `sections`: lock to lock. */
  readonly grain: "exact" | "sections";
}

export interface HostMemory {
  /** 2 MiB regions, a multiple of 512. */
  readonly regions: number;
  /** Which part is mapped by entries of 1 GiB and of 2 MiB at the start; the rest by 4 KiB. */
  readonly share1g: number;
  readonly share2m: number;
  readonly placement: "contiguous" | "scattered";
}

export interface VmSetup {
  readonly name: string;
  readonly group: number;
  readonly tenant: number;
  readonly priority: number;
  /** When its boot is asked for. */
  readonly startNs: number;
  /** 4 KiB pages of memory. */
  readonly pages: number;
  /** Frame of its first page; absent: the next free 2 MiB. */
  readonly firstFrame?: number;
  /** Tasks that share a pages phase with `split`. */
  readonly tasks: number;
  readonly phases: readonly StormPhase[];
}

export interface BackgroundTask {
  readonly name: string;
  /** For the policy: guests that flip pages are VMs after those that boot. */
  readonly vm: number;
  readonly tenant: number;
  readonly startNs: number;
  readonly pages: number;
  readonly firstFrame?: number;
  /** Length of its time slices, those of VMs being 1; absent: 1. */
  readonly weight?: number;
  readonly phases: readonly StormPhase[];
}

export type StormPhase =
  /** Uses a CPU. */
  | { readonly kind: "work"; readonly name: string; readonly ns: number }
  /** Uses none. */
  | { readonly kind: "wait"; readonly name: string; readonly ns: number }
  /** The PSP works, one command after the other. */
  | { readonly kind: "psp"; readonly name: string; readonly ns: number }
  | PagesPhase;

export interface PagesPhase {
  readonly kind: "pages";
  readonly name: string;
  /** Operation of each pass, by index into `ops`, in turn. */
  readonly ops: readonly number[];
  /** Operations of one pass. */
  readonly count: number;
  /** Infinity: for ever. */
  readonly passes: number;
  /** 4 KiB pages of one operation. */
  readonly pagesPerOp: number;
  /** First page, counted from the VM's first. */
  readonly firstPage: number;
  /** Operations of one exit; it takes `batchNs`, and is asked for when `asks`. */
  readonly batch: number;
  readonly batchNs: number;
  readonly asks: boolean;
  /** PSP command after each operation; 0: none. */
  readonly pspNs: number;
  /** Shared out among the VM's tasks. */
  readonly split: boolean;
}

/** One acquisition of a lock, in the order of requests that were granted. */
export type AcquireHook = (lock: number, task: number, requestNs: number, grantNs: number) => void;

/** One wait for a lock or for the PSP, in the order of grants: the contended acquisitions. */
export type WaitHook = (wait: WaitSeen) => void;

export interface WaitSeen {
  /** By index into the storm's locks; -1: the PSP's queue. */
  readonly lock: number;
  /** Number of the lock among all instances of all locks. */
  readonly instance: number;
  readonly shared: boolean;
  readonly task: number;
  /** Where it asked. */
  readonly cpu: number;
  readonly requestNs: number;
  readonly waitNs: number;
  /** The kernel functions that ask, innermost first; none where it is no kernel path. */
  readonly stack: readonly string[];
}
