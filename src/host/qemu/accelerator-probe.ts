import { stripVTControlCharacters } from "node:util";
import { DEFAULT_MACHINE, type TinyProfile } from "../../core/scenario/machine.ts";
import { onLeash } from "../exec/leash.ts";
import { type ProgramResult, runProgram } from "../exec/run.ts";
import type { AcceleratorAsk, Candidate } from "./accelerator.ts";
import type { Lack } from "./accelerator-lack.ts";
import { qemuArgs, type VmPlace } from "./command-line.ts";

/**
 * How long one guest may take. With KVM it takes well below a second, and two CPU models together
 * must not hold up the start for more than 8 s. SNP measures its firmware first (9 s in all in
 * TUM-DSE/CVM_eval). Emulation took 6 s on a busy host.
 */
const LIMIT_MS: Readonly<Record<Candidate["accelerator"], number>> = {
  kvm: 4_000,
  snp: 60_000,
  tcg: 60_000,
};

const PROBE: VmPlace = {
  name: "bootstorm-probe",
  index: 0,
  dir: "",
  memoryMiB: 512,
  vcpus: 1,
  cpus: "",
  orders: { after: "exit" },
};

/**
 * Boots a guest until its first process runs.
 * @returns the CPU model with which it did, or what it did instead with each of them
 * @throws the signal's reason when it aborted
 */
export async function probeGuest(
  candidate: Candidate,
  ask: AcceleratorAsk,
): Promise<{ readonly cpu: string } | Lack> {
  const lacks: Lack[] = [];
  for (const cpu of candidate.cpus) {
    ask.signal.throwIfAborted();
    ask.onStep?.(`booting a guest: ${candidate.accelerator.toUpperCase()}, -cpu ${cpu}`);
    const lack = await bootOnce(cpu, candidate, ask);
    if (lack === undefined) return { cpu };
    lacks.push({ ...lack, evidence: `-cpu ${cpu}: ${lack.evidence}` });
  }
  const evidence = lacks.map((lack) => lack.evidence).join("; ");
  return { reason: lacks.at(-1)!.reason, evidence };
}

async function bootOnce(
  cpu: string,
  { accelerator, firmware, snp, kernel }: Candidate,
  { profile, qemu, initramfs, signal }: AcceleratorAsk,
): Promise<Lack | undefined> {
  const limitMs = LIMIT_MS[accelerator];
  // What the profile adds of its own is not on trial.
  const bare: TinyProfile = { ...DEFAULT_MACHINE, ...machineOf(profile) };
  const found = {
    ...{ program: qemu.program, accelerator, cpu, kernel: kernel.path, initramfs },
    ...(firmware === undefined ? {} : { firmware }),
    ...(snp === undefined ? {} : { snp }),
  };
  const line = onLeash(qemu.program, qemuArgs(bare, found, PROBE), limitMs);
  const ended = await runProgram(...line, { limitMs, signal });
  signal.throwIfAborted();
  return ended.stdout.includes("bootstorm: init ") ? undefined : lackOf(ended, limitMs);
}

function machineOf(profile: AcceleratorAsk["profile"]): Partial<TinyProfile> {
  return profile.kind === "tiny" ? { machine: profile.machine } : {};
}

function lackOf({ status, code, stdout, stderr }: ProgramResult, limitMs: number): Lack {
  // "qemu-system-x86_64: error: failed to set MSR 0x10a to 0x69"; warnings are no reason.
  const complaint = stderr.split("\n").find((line) => line !== "" && !line.includes(": warning: "));
  const said = complaint === undefined ? "" : `: ${complaint.replace(/^\S+: /, "")}`;
  const last = stripVTControlCharacters(stdout)
    .split(/[\r\n]+/)
    .filter((line) => line.trim() !== "")
    .at(-1);
  const after = last === undefined ? "without a word" : `after "${last.slice(0, 200)}"`;
  switch (status) {
    case "timeout":
      return { reason: "timeout", evidence: `not there within ${limitMs / 1000} s, ${after}` };
    case "signalled":
      return { reason: "vmm-failed", evidence: `QEMU ended by a signal${said}` };
    case "missing":
      return { reason: "vmm-failed", evidence: "QEMU did not start" };
    case "exited":
      return code === 0
        ? { reason: "guest-ended", evidence: `the guest ended ${after}` }
        : { reason: "vmm-failed", evidence: `QEMU ended with status ${code}${said}` };
  }
}
