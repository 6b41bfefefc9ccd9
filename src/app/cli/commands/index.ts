import type { Command } from "commander";

/** One command of the binary. Its module is loaded only when it is asked for. */
export interface CommandEntry {
  readonly name: string;
  /** One verb phrase for the list of commands. */
  readonly summary: string;
  load(): Promise<{ define(command: Command): void }>;
}

export const COMMANDS: readonly CommandEntry[] = [
  {
    name: "doctor",
    summary: "say what this host can do, what is missing, and which line enables it",
    load: () => import("./doctor.ts"),
  },
];
