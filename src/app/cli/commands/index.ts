import type { Command } from "commander";

export interface CommandModule {
  /**
   * Adds the command's flags, help and work.
   * @param trailing  the words after `--`, for commands that run another
   */
  define(command: Command, trailing: readonly string[]): void;
}

/** One command of the binary. Its module is loaded only when it is asked for. */
export interface CommandEntry {
  readonly name: string;
  /** One verb phrase for the list of commands. */
  readonly summary: string;
  /** It takes another program's command line after `--`; elsewhere that is wrong use. */
  readonly runsAnother?: true;
  load(): Promise<CommandModule>;
}

export const COMMANDS: readonly CommandEntry[] = [
  {
    name: "investigate",
    summary: "do the whole job on this machine: measure, identify, report",
    load: () => import("./investigate.ts"),
  },
  {
    name: "doctor",
    summary: "say what this host can do, what is missing, and which line enables it",
    load: () => import("./doctor.ts"),
  },
  {
    name: "pressure",
    summary: "measure how direct-map work scales on this kernel",
    load: () => import("./pressure.ts"),
  },
  {
    name: "contention",
    summary: "say who waits for which lock, called from where; live or from a recording",
    runsAnother: true,
    load: () => import("./contention.ts"),
  },
  {
    name: "storm",
    summary: "boot real VMs together: how boot time grows, in which phase, behind which lock",
    load: () => import("./storm.ts"),
  },
  {
    name: "kernel-ab",
    summary: "compare kernels that differ by a patch, in VMs: throughput and lock waits of each",
    load: () => import("./kernel-ab.ts"),
  },
  {
    name: "check",
    summary: "say whether a lock design is safe; if not, show the shortest run that breaks it",
    load: () => import("./check.ts"),
  },
  {
    name: "simulate",
    summary: "say how a boot storm goes on a modelled host, and which lock is to blame",
    load: () => import("./simulate.ts"),
  },
  {
    name: "explore",
    summary: "put lock designs and policies in one table: safe, and how fast",
    load: () => import("./explore.ts"),
  },
  {
    name: "calibrate",
    summary: "measure what direct-map changes cost here, for scenarios",
    load: () => import("./calibrate.ts"),
  },
  {
    name: "plan",
    summary: "say how many boots a host can serve, how fast, and what to configure",
    load: () => import("./plan.ts"),
  },
  {
    name: "govern",
    summary: "give permits to VM launchers, so that no more boot at once than this host can serve",
    load: () => import("./govern.ts"),
  },
  {
    name: "permit",
    summary: "start a VM when the governor permits it, and tell it when the VM is ready",
    runsAnother: true,
    load: () => import("./permit.ts"),
  },
];
