import { closeSync, openSync, readSync } from "node:fs";
import { join } from "node:path";
import type { Lack } from "./accelerator-lack.ts";
import type { CBit } from "./snp-line.ts";

/** "Encrypted Memory Capabilities". Source: AMD64 Architecture Programmer's Manual, volume 3, E.4.17 */
const LEAF = 0x8000_001f;

/** What the CPU says of memory encryption. */
export interface SevCpuid extends CBit {
  /** EAX[4]. */
  readonly snp: boolean;
}

/**
 * Asks the CPU itself, through the driver `cpuid`: its position in a file is the leaf, and it reads
 * EAX, EBX, ECX, EDX.
 * @returns undefined where there is no such file to read
 */
export function readSevCpuid(root = "/"): SevCpuid | undefined {
  const registers = Buffer.alloc(16);
  try {
    const file = openSync(join(root, "/dev/cpu/0/cpuid"), "r");
    try {
      if (readSync(file, registers, 0, 16, LEAF) !== 16) return undefined;
    } finally {
      closeSync(file);
    }
  } catch {
    return undefined; // no driver, or not for this user
  }
  const [eax, ebx] = [registers.readUInt32LE(0), registers.readUInt32LE(4)];
  return { snp: (eax & (1 << 4)) !== 0, cbitpos: ebx & 63, reducedPhysBits: (ebx >>> 6) & 63 };
}

/** What the profile says, else what the CPU says. */
export function cBitOf(
  profile: { readonly [Key in keyof CBit]?: CBit[Key] | undefined },
  cpuid: SevCpuid | undefined,
): CBit | Lack {
  const cbitpos = profile.cbitpos ?? cpuid?.cbitpos;
  const reducedPhysBits = profile.reducedPhysBits ?? cpuid?.reducedPhysBits;
  // A CPU without memory encryption has 0 in both.
  if (cbitpos && reducedPhysBits) return { cbitpos, reducedPhysBits };
  const why =
    cpuid === undefined
      ? "/dev/cpu/0/cpuid cannot be read: as root, modprobe cpuid"
      : "the CPU says that it encrypts no memory (CPUID 0x8000001f)";
  const say = "machine: { kind: snp, cbitpos: 51, reducedPhysBits: 1 } on EPYC 7003 and 9004";
  return { reason: "no-c-bit", evidence: `${why}; or say where it is: ${say}` };
}
