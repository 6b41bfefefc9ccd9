// What the numbers of real boots are called.
import type { BootPart } from "../analyze/boot-blame.ts";
import type { BootMeasure, Change } from "../analyze/boot-changes.ts";
import { type BootSetting, NO_LIMIT } from "../analyze/boot-setting.ts";
import type { Accelerator, Outcome } from "../analyze/boots-result.ts";
import { formatCount } from "../units.ts";
import { vms } from "./storm-words.ts";

export const ACCELERATOR_WORDS: Readonly<Record<Accelerator, string>> = {
  snp: "SNP",
  kvm: "KVM",
  tcg: "QEMU's emulation (TCG)",
  command: "a command line of the user's",
};

/** Continues "3 boots". */
export const OUTCOME_WORDS: Readonly<Record<Exclude<Outcome, "ready">, string>> = {
  panic: "panicked",
  ended: "ended too early",
  "vmm-failed": "failed in the VMM",
  timeout: "timed out",
  killed: "got killed from elsewhere",
  "not-started": "never started",
};

export const PART_WORDS: Readonly<Record<BootPart, string>> = {
  locks: "locks",
  "cpu-wait": "CPU wait",
  "cpu-work": "CPU work",
  "vmm-setup": "VMM start",
  rest: "other",
};

export const PART_MEANING: Readonly<Record<BootPart, string>> = {
  locks: "waits for locks of the host's kernel: of the vCPUs, and of the VMM before they run",
  "cpu-wait": "the vCPUs could run and had no CPU; others may have been spinning on it",
  "cpu-work":
    "the vCPUs ran, without spinning for a lock of the host; for one of the guest's own it counts",
  "vmm-setup": "from admission until the vCPUs run",
  rest: "the vCPUs slept, or waited for other threads of the VMM; also what was not recorded",
};

export const MEASURE_WORDS: Readonly<Record<BootMeasure, string>> = {
  mean: "mean",
  p95: "p95",
  makespan: "all ready",
};

/** `no limit`, `at most 2 at a time`, `boot-cap-aimd`. */
export function limitText(limit: string): string {
  if (limit === NO_LIMIT) return "no limit";
  return /^\d+$/.test(limit) ? `at most ${formatCount(Number(limit))} at a time` : limit;
}

/** The same where there is little room: `none`, `limit 2`, `boot-cap-aimd`. */
export function limitLabel(limit: string): string {
  return /^\d+$/.test(limit) ? `limit ${limit}` : limit;
}

/** What tells a series from others that are there too: `plain, at most 2 at a time`. */
export function seriesText(
  setting: Omit<BootSetting, "vms">,
  all: readonly Omit<BootSetting, "vms">[],
): string {
  const differs = (of: (each: Omit<BootSetting, "vms">) => unknown) =>
    new Set(all.map(of)).size > 1;
  const parts = [
    ...(differs(({ kind }) => kind) ? [setting.kind] : []),
    ...(differs(({ pressure }) => pressure) ? [pressureText(setting.pressure)] : []),
    ...(differs(({ limit }) => limit) ? [limitText(setting.limit)] : []),
  ];
  return parts.length === 0 ? "boot time" : parts.join(", ");
}

/** `16 VMs`, `16 confidential VMs, at most 2 at a time, beside 4 pressure processes`. */
export function settingText({ vms: count, limit, kind, pressure }: BootSetting): string {
  return [
    kind === "confidential" ? vms(count).replace(/VM/, "confidential VM") : vms(count),
    ...(limit === NO_LIMIT ? [] : [limitText(limit)]),
    ...(pressure === 0 ? [] : [`beside ${pressureText(pressure)}`]),
  ].join(", ");
}

export function pressureText(processes: number): string {
  if (processes === 0) return "no pressure";
  return `${formatCount(processes)} pressure ${processes === 1 ? "process" : "processes"}`;
}

/** `-40 % (-43 to -37 %)`; in words where it is none. */
export function changeText({ value, low, high, verdict }: Change): string {
  const interval = `${signed(low)} to ${signed(high)} %`;
  if (verdict === "no-difference") return `no difference (${interval})`;
  if (verdict === "undecided") return `${signed(value)} % (one pair)`;
  return `${signed(value)} % (${interval})`;
}

/** The same for a column in percent: `-40 (-43 to -37)`. */
export function changeCell({ value, low, high, verdict }: Change): string {
  if (verdict === "undecided") return `${signed(value)} (one pair)`;
  const interval = `(${signed(low)} to ${signed(high)})`;
  return verdict === "no-difference" ? `none ${interval}` : `${signed(value)} ${interval}`;
}

function signed(share: number): string {
  const percent = Math.abs(share * 100);
  const digits = percent < 9.95 ? percent.toFixed(1) : formatCount(percent);
  return `${share < 0 ? "-" : "+"}${digits}`;
}
