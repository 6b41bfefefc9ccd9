import { accessSync, constants } from "node:fs";
import { resolve } from "node:path";
import { styleText } from "node:util";
import { type Command, InvalidArgumentError } from "commander";
import { BootstormError, EXIT } from "../../../core/error.ts";
import {
  cpaGeneration,
  type HostReadings,
  hostAbilities,
  hostCaveats,
  hostFacts,
  hostSummary,
  spinlockVisibility,
} from "../../../core/facts/host-facts.ts";
import { factsText, type PaintFact } from "../../../core/report/host-facts.ts";
import { wrap } from "../../../core/report/plain-text.ts";
import { probeHost } from "../../../host/probe/host.ts";
import { type Answer, runCommand, withCommonFlags } from "../run.ts";

interface Flags {
  readonly kvm: boolean;
  readonly kvmLimit: number;
  readonly kernel?: string;
}

const KVM_LIMIT_SECONDS = { least: 1, default: 10, most: 600 } as const;

export function define(command: Command): void {
  withCommonFlags(
    command
      .description(
        "Say what this host can do for bootstorm, what is missing, and which line enables it.",
      )
      .option("--no-kvm", "boot no guest to see whether KVM works (saves some seconds)")
      .option(
        "--kvm-limit <seconds>",
        "how long one probe guest may take",
        kvmLimitSeconds,
        KVM_LIMIT_SECONDS.default,
      )
      .option("--kernel <file>", "kernel that the probe guest boots (default: one from /boot)"),
  )
    .addHelpText(
      "after",
      `
Examples:
  bootstorm doctor                     look at this host, and boot a guest under KVM
  sudo bootstorm doctor --no-kvm       as root, who sees more; boot nothing
  bootstorm doctor --json=doctor.json  keep the answer for a program`,
    )
    .action((flags: Flags) =>
      runCommand(command, async ({ signal, progress }) => {
        const kernelImage = readable(flags.kernel);
        const readings = await probeHost({
          signal,
          kvm: flags.kvm,
          kvmLimitMs: flags.kvmLimit * 1000,
          ...(kernelImage === undefined ? {} : { kernelImage }),
          onStep: (what) => progress.step(what),
        });
        return answer(flags, readings);
      }),
    );
}

function answer({ kvm, kvmLimit, kernel }: Flags, readings: HostReadings): Answer {
  const facts = hostFacts(readings);
  const summary = hostSummary(readings);
  const caveats = hostCaveats(readings);
  const { evidence: _, ...cpa } = cpaGeneration(readings);
  const result = {
    summary,
    abilities: hostAbilities(readings),
    cpa,
    spinlockVisibility: spinlockVisibility(readings),
    facts,
    readings,
  };
  const notes = caveats.map((caveat) => `note: ${wrap(caveat, 74, "      ")}\n`).join("");
  return {
    input: { kvm, kvmLimitSeconds: kvmLimit, ...(kernel === undefined ? {} : { kernel }) },
    result,
    caveats,
    text: `${wrap(summary, 80)}\n\n${factsText(facts, painter())}\n${notes}`,
  };
}

function kvmLimitSeconds(text: string): number {
  const seconds = Number(text);
  const { least, most } = KVM_LIMIT_SECONDS;
  if (text.trim() !== "" && seconds >= least && seconds <= most) return seconds;
  throw new InvalidArgumentError(`A number of seconds is needed, from ${least} to ${most}.`);
}

/** @throws BootstormError KERNEL_UNREADABLE, before any guest is booted with it */
function readable(kernel: string | undefined): string | undefined {
  if (kernel === undefined) return undefined;
  const path = resolve(kernel);
  try {
    accessSync(path, constants.R_OK);
  } catch (error) {
    throw new BootstormError("KERNEL_UNREADABLE", `--kernel: cannot read ${kernel}`, {
      why: (error as Error).message,
      remedies: ["leave the flag out: doctor looks in /boot", "some systems let only root read it"],
      exit: EXIT.input,
    });
  }
  return path;
}

const STYLE = {
  ok: "green",
  limited: "yellow",
  missing: "red",
  info: "blue",
  aside: "dim",
} as const;

/** Colour where somebody sees it: hasColors() is false for NO_COLOR, true for FORCE_COLOR. */
function painter(): PaintFact | undefined {
  if (process.stdout.isTTY !== true || !process.stdout.hasColors()) return undefined;
  return (role, text) => styleText(STYLE[role], text);
}
