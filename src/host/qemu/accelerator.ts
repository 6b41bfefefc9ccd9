// Which way of running guest code works here. Only a guest tells: on some hosts /dev/kvm opens, its
// ioctls answer, a guest's firmware runs, and yet no kernel gets anywhere (KVM inside a VM, for one).
import { BootstormError, EXIT } from "../../core/error.ts";
import { atLeast, versionOf } from "../../core/facts/kernel-version.ts";
import { plainSnpProfile, type SnpProfile, type TinyProfile } from "../../core/scenario/machine.ts";
import type { Cache } from "../store/cache.ts";
import { findSnpFirmware, type Lack, lackOfKvm, lackOfSnp } from "./accelerator-lack.ts";
import { probeGuest } from "./accelerator-probe.ts";
import { rememberedVerdict } from "./accelerator-verdict.ts";
import { cBitOf, readSevCpuid } from "./c-bit.ts";
import type { FoundForQemu } from "./command-line.ts";
import type { Qemu } from "./version.ts";

type Accelerator = FoundForQemu["accelerator"];

export interface AcceleratorAsk {
  readonly profile: TinyProfile | SnpProfile;
  readonly qemu: Qemu;
  /**
   * The kernel that the guest boots, in the form that an accelerator needs.
   * @throws BootstormError when there is none in that form
   */
  kernel(as: "pvh" | "bzImage"): Promise<ProbeKernel>;
  /** One that reports `init`: ours, whatever the profile names. */
  readonly initramfs: string;
  /** Remembers what guests have shown, until the host boots again. */
  readonly cache: Cache;
  readonly signal: AbortSignal;
  /** Where the host's file system begins; a folder of fixtures in the tests. */
  readonly root?: string;
  onStep?(what: string): void;
}

export interface ProbeKernel {
  readonly path: string;
  readonly sha256: string;
}

export interface AcceleratorChoice
  extends Pick<FoundForQemu, "accelerator" | "cpu" | "firmware" | "snp"> {
  /** In the form that the accelerator needs. */
  readonly kernel: string;
  /** What would have been better, and why it was not taken; best first. */
  readonly refused: readonly Refusal[];
}

export interface Refusal extends Lack {
  readonly accelerator: Accelerator;
}

/** A guest to try. */
export interface Candidate extends Pick<FoundForQemu, "accelerator" | "firmware" | "snp"> {
  /** As in `-cpu`; the first that works is taken. */
  readonly cpus: readonly string[];
  readonly kernel: ProbeKernel;
}

/**
 * Takes the accelerator that the profile names, or for `auto` the first of SNP, KVM and TCG with
 * which a guest's first process runs.
 * @throws BootstormError NO_ACCELERATOR with every reason, and what `kernel` throws
 */
export async function chooseAccelerator(ask: AcceleratorAsk): Promise<AcceleratorChoice> {
  const { profile } = ask;
  const wanted = profile.kind === "snp" ? "snp" : profile.accelerator;
  const order: readonly Accelerator[] = wanted === "auto" ? ["snp", "kvm", "tcg"] : [wanted];
  const refused: Refusal[] = [];
  for (const accelerator of order) {
    const candidate = await candidateFor(accelerator, ask);
    const verdict = "reason" in candidate ? candidate : await verdictOn(candidate, ask);
    if ("reason" in verdict) refused.push({ accelerator, ...verdict });
    else return { ...verdict, refused };
  }
  throw noneWorks(wanted, refused);
}

async function candidateFor(
  accelerator: Accelerator,
  ask: AcceleratorAsk,
): Promise<Candidate | Lack> {
  switch (accelerator) {
    case "tcg":
      return { accelerator, cpus: ["max"], kernel: await ask.kernel("pvh") };
    case "kvm":
      // With all the host's features, then with few: nested KVM may lack some it claims to have.
      return (
        lackOfKvm(ask.root ?? "/") ?? {
          accelerator,
          cpus: ["host", "qemu64"],
          kernel: await ask.kernel("pvh"),
        }
      );
    case "snp":
      return snpCandidate(ask);
  }
}

async function snpCandidate(ask: AcceleratorAsk): Promise<Candidate | Lack> {
  const { profile, qemu, root = "/" } = ask;
  const lack = lackOfSnp(root);
  if (lack !== undefined) return lack;
  const version = versionOf(qemu.version);
  // Object sev-snp-guest.
  if (version === undefined || !atLeast(version, 9, 1)) {
    return { reason: "qemu-too-old", evidence: `QEMU ${qemu.version}, SNP needs 9.1` };
  }
  const firmware = profile.kind === "snp" ? profile.firmware : findSnpFirmware(root);
  if (firmware === undefined) {
    return { reason: "no-firmware", evidence: "no OVMF.amdsev.fd where it usually is" };
  }
  const settings = profile.kind === "snp" ? profile : plainSnpProfile(firmware);
  const cBit = cBitOf(settings, readSevCpuid(root));
  if ("reason" in cBit) return cBit;
  const kernel = await ask.kernel("bzImage").catch(lackOfKernel);
  if ("reason" in kernel) return kernel;
  const snp = { ...settings, ...cBit };
  return { accelerator: "snp", cpus: ["EPYC-v4"], kernel, firmware, snp };
}

function lackOfKernel(error: unknown): Lack {
  if (!(error instanceof BootstormError)) throw error;
  return { reason: "no-kernel", evidence: `${error.message}: ${error.why}` };
}

async function verdictOn(
  candidate: Candidate,
  ask: AcceleratorAsk,
): Promise<Omit<AcceleratorChoice, "refused"> | Lack> {
  const { cpus: _, kernel, ...rest } = candidate;
  const verdict = await rememberedVerdict(candidate, ask, () => probeGuest(candidate, ask));
  return "reason" in verdict ? verdict : { ...rest, cpu: verdict.cpu, kernel: kernel.path };
}

function noneWorks(wanted: string, refused: readonly Refusal[]): BootstormError {
  const reasons = refused.map(({ accelerator, evidence }) => `${accelerator}: ${evidence}`);
  const message =
    wanted === "auto"
      ? "a guest boots here neither with SNP, nor with KVM, nor emulated"
      : `this host does not boot a guest with ${wanted}`;
  return new BootstormError("NO_ACCELERATOR", message, {
    why: reasons.join("; "),
    remedies:
      wanted === "auto"
        ? ["name another kernel at guests[].machine.kernel"]
        : [
            "bootstorm doctor says what this host lacks, and the line that enables it",
            "boot what works here: machine: { kind: tiny, accelerator: auto }",
          ],
    exit: EXIT.host,
  });
}
